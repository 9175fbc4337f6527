// A random video chat as it is usually built: Socket.IO, one queue per kind in memory, a loop every 200 ms that pairs
// from the front, signals relayed to the partner. Plain on purpose, but not wrong: no room lookups, no logging, no
// polling transport, no compression. The events carry the fields of docs/protocol.md, so that one load client
// (visavis-load --protocol socketio --order classic) drives both.
import { createServer } from 'node:http';
import { randomBytes } from 'node:crypto';
import { Server } from 'socket.io';

const LOOP_MS = 200;
const KINDS = ['video', 'audio', 'text'];
const SIGNALS = ['offer', 'answer', 'ice_candidate', 'message', 'typing'];

const http = createServer((_request, response) => response.end('ok'));
const io = new Server(http, { transports: ['websocket'], perMessageDeflate: false, serveClient: false });
const queues = new Map(KINDS.map((kind) => [kind, new Set()]));

function leave(socket, reason) {
    queues.get(socket.data.kind)?.delete(socket);
    const { partner, matchId } = socket.data;
    if (!partner) return;
    socket.data.partner = partner.data.partner = null;
    partner.emit('partner_left', { match_id: matchId, reason, requeued: false });
}

function search(socket) {
    leave(socket, 'next');
    queues.get(socket.data.kind).add(socket);
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
