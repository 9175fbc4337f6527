// A random video chat as it is usually built: Socket.IO, one queue per kind in memory, a loop every 200 ms that pairs
// from the front, signals relayed to the partner, and a copy of tickets and pairs in Redis for the day the process dies
// (five commands a pair, the fewest that do it). Plain on purpose, but not wrong: no room lookups, no logging, no polling transport, no compression; nobody waits for
// Redis, and its client sends what one turn of the loop wrote in one go. The events carry the fields of docs/protocol.md,
// so that one load client (visavis-load --protocol socketio --order classic) drives both.
//
//   PORT=0 REDIS_URL=redis://127.0.0.1:6379 node server.js      without REDIS_URL there is no copy
import { createServer } from 'node:http';
import { randomBytes } from 'node:crypto';
import { createClient } from '@redis/client';
import { Server } from 'socket.io';

const LOOP_MS = 200;
const KINDS = ['video', 'audio', 'text'];
const SIGNALS = ['offer', 'answer', 'ice_candidate', 'message', 'typing'];

const http = createServer((_request, response) => response.end('ok'));
const io = new Server(http, { transports: ['websocket'], perMessageDeflate: false, serveClient: false });
const queues = new Map(KINDS.map((kind) => [kind, new Set()]));
const copy = process.env.REDIS_URL ? await startCopy(process.env.REDIS_URL) : null;

/** What a restarted process would read back: who waits since when, and who is with whom. */
async function startCopy(url) {
    const redis = createClient({ url });
    redis.on('error', (error) => console.error(`redis: ${error.message}`));
    await redis.connect();
    // A copy that misses something is still a copy: nobody waits for it, and an error was told above.
    const forget = () => {};
    return {
        waits: ({ id, data }) => redis.hSet(`waiting:${data.kind}`, id, Date.now()).catch(forget),
        waitsNoMore: ({ id, data }) => redis.hDel(`waiting:${data.kind}`, id).catch(forget),
        paired(matchId, one, other) {
            redis.hDel(`waiting:${one.data.kind}`, [one.id, other.id]).catch(forget);
            redis.hSet('pairs', matchId, `${one.id} ${other.id}`).catch(forget);
        },
        parted: (matchId) => redis.hDel('pairs', matchId).catch(forget),
    };
}

function leave(socket, reason) {
    if (queues.get(socket.data.kind)?.delete(socket)) copy?.waitsNoMore(socket);
    const { partner, matchId } = socket.data;
    if (!partner) return;
    socket.data.partner = partner.data.partner = null;
    copy?.parted(matchId);
    partner.emit('partner_left', { match_id: matchId, reason, requeued: false });
}

function search(socket) {
    leave(socket, 'next');
    queues.get(socket.data.kind).add(socket);
    copy?.waits(socket);
}

function pair(one, other) {
    const matchId = randomBytes(8).toString('hex');
    for (const [socket, partner, initiator] of [
        [one, other, true],
        [other, one, false],
    ]) {
        queues.get(socket.data.kind).delete(socket);
        socket.data.partner = partner;
        socket.data.matchId = matchId;
        const mode = socket.data.kind === 'text' ? 'text' : 'negotiate';
        socket.emit('partner_found', { match_id: matchId, initiator, mode });
    }
    copy?.paired(matchId, one, other);
}

setInterval(() => {
    for (const queue of queues.values()) {
        let first = null;
        for (const socket of queue) {
            if (!first) {
                first = socket;
                continue;
            }
            pair(first, socket);
            first = null;
        }
    }
}, LOOP_MS);

io.on('connection', (socket) => {
    socket.on('find_partner', ({ kind }) => {
        if (!queues.has(kind)) return;
        socket.data.kind = kind;
        search(socket);
    });
    socket.on('next', () => socket.data.kind && search(socket));
    socket.on('stop', () => {
        leave(socket, 'stop');
        socket.emit('stopped', {});
    });
    for (const signal of SIGNALS) {
        socket.on(signal, (fields) => {
            const { partner, matchId } = socket.data;
            if (partner && (fields.match_id ?? matchId) === matchId) {
                partner.emit(signal, { ...fields, match_id: matchId });
            }
        });
    }
    socket.on('disconnect', () => leave(socket, 'closed'));
});

http.listen(Number(process.env.PORT ?? 0), '127.0.0.1', () => {
    console.log(`listening on 127.0.0.1:${http.address().port}`);
});
