#!/usr/bin/env node
// Storms and idle connections: what a pair and a connection cost the server, and how soon the last one is matched.
//
//   bench/load/run.mjs [--visitors 5000] [--rounds 3] [--idle 15000] [--repeat 3] [--no-peers] [--out FILE]
//
// The server is pinned to core 0 and the client to core 1; each run has a fresh server; the servers take turns, so that
// a disturbance of the machine meets all of them. Trust the ratios, which are of one run, and not the microseconds.
import { spawn, execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync, existsSync } from 'node:fs';
import { availableParallelism, release, cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createInterface } from 'node:readline';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const { values: options } = parseArgs({
    options: {
        visitors: { type: 'string', default: '5000' },
        rounds: { type: 'string', default: '3' },
        idle: { type: 'string', default: '15000' },
        repeat: { type: 'string', default: '3' },
        'no-peers': { type: 'boolean', default: false },
        out: { type: 'string', default: 'bench/results/load.json' },
    },
});

const binary = (name, variable) => process.env[variable] ?? join(root, 'target/release', name);
const visavis = binary('visavis', 'VISAVIS_BIN');
const load = binary('visavis-load', 'VISAVIS_LOAD_BIN');
const peerDirectory = join(root, 'bench/peers/node-socketio');
const pinned = succeeds('taskset', ['-c', '0,1', 'true']);

const servers = {
    visavis: {
        command: [visavis, 'serve', '--listen', '127.0.0.1:0', '--workers', '1', '--limits-exempt', '127.0.0.0/8'],
        path: '/ws',
        client: [],
    },
    'node-socketio': {
        command: [process.execPath, join(peerDirectory, 'server.js')],
        path: '/socket.io/?EIO=4&transport=websocket',
        client: ['--protocol', 'socketio'],
    },
};

const storm = ['--scenario', 'storm', '--visitors', options.visitors, '--rounds', options.rounds];
const idle = ['--scenario', 'idle', '--visitors', options.idle, '--source-addresses', '4', '--settle-ms', '4000'];
const plan = [
    { name: 'storm, classic order', server: 'visavis', args: [...storm, '--order', 'classic'], repeated: true },
    { name: 'storm, classic order', server: 'node-socketio', args: [...storm, '--order', 'classic'], repeated: true },
    { name: 'storm, offer in the ticket', server: 'visavis', args: [...storm, '--order', 'ticket'], repeated: true },
    { name: 'storm, match only', server: 'visavis', args: [...storm, '--order', 'classic', '--no-handshake'], repeated: true },
    { name: 'storm, match only', server: 'node-socketio', args: [...storm, '--order', 'classic', '--no-handshake'], repeated: true },
    { name: 'idle', server: 'visavis', args: [...idle, '--order', 'classic'] },
    { name: 'idle', server: 'node-socketio', args: [...idle, '--order', 'classic'] },
];

function succeeds(program, args) {
    try {
        execFileSync(program, args, { stdio: 'ignore' });
        return true;
    } catch {
        return false;
    }
}

const pin = (core, command) => (pinned ? ['taskset', '-c', String(core), ...command] : command);

async function startServer({ command }) {
    const [program, ...args] = pin(0, command);
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const address = await new Promise((resolve, reject) => {
        child.once('error', reject);
        child.once('exit', (code) => reject(new Error(`${command[0]} ended with ${code} before it listened`)));
        for (const stream of [child.stdout, child.stderr]) {
            createInterface({ input: stream }).on('line', (line) => {
                const found = line.match(/127\.0\.0\.1:(\d+)/);
                if (found && /listening/.test(line)) resolve(found[0]);
            });
        }
    });
    return { child, address };
}

async function stopServer({ child }) {
    if (child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
}

async function measure({ server, args }) {
    const started = await startServer(servers[server]);
    try {
        const url = `ws://${started.address}${servers[server].path}`;
        const all = ['--url', url, '--server-pid', String(started.child.pid), ...servers[server].client, ...args];
        const [program, ...rest] = pin(1, [load, ...all]);
        const client = spawn(program, rest, { stdio: ['ignore', 'pipe', 'inherit'] });
        let text = '';
        client.stdout.on('data', (part) => (text += part));
        const code = await new Promise((resolve) => client.once('close', resolve));
        if (!text) throw new Error(`the load client ended with ${code} and no result`);
        return JSON.parse(text);
    } finally {
        await stopServer(started);
    }
}

const median = (numbers) => {
    const sorted = numbers.filter((number) => number !== undefined).sort((a, b) => a - b);
    return sorted.length ? sorted[Math.floor(sorted.length / 2)] : undefined;
};

/** The figures of one row: medians over all rounds of all its runs. */
function summarise(results) {
    const rounds = results.flatMap((result) => result.rounds);
    const of = (pick) => median(rounds.map(pick));
    const memory = (field) => median(results.map((result) => result.memory?.[field] ?? undefined));
    return {
        runs: results.length,
        violations: results.reduce((sum, result) => sum + result.violations.count, 0),
        first_round_server_cpu_us_per_pair: median(results.map((result) => result.rounds[0]?.server_cpu_us_per_pair)),
        server_cpu_us_per_pair: of((round) => round.server_cpu_us_per_pair),
        client_cpu_us_per_pair: of((round) => round.client_cpu_us_per_pair),
        found_p50_ms: of((round) => round.found_ms?.p50),
        found_last_ms: of((round) => round.found_ms?.max),
        relay_p99_ms: of((round) => round.relay_ms?.p99),
        idle_kib_per_connection: memory('idle_kib_per_connection'),
        after_handshake_kib_per_connection: memory('after_handshake_kib_per_connection'),
    };
}

function machine() {
    const version = (program, args) => {
        try {
            return execFileSync(program, args, { encoding: 'utf8' }).trim().split('\n')[0];
        } catch {
            return null;
        }
    };
    return {
        cores: availableParallelism(),
        processor: cpus()[0]?.model ?? null,
        kernel: release(),
        node: process.version,
        rust: version('rustc', ['--version']),
        visavis: version(visavis, ['--version']),
        pinned,
    };
}

for (const [program, mend] of [[visavis, 'make build'], [load, 'cargo build --release -p visavis-sim']]) {
    if (!existsSync(program)) {
        console.error(`bench: there is no release build to measure; run: ${mend}`);
        process.exit(2);
    }
}
const withPeers = !options['no-peers'];
if (withPeers && !existsSync(join(peerDirectory, 'node_modules/socket.io'))) {
    execFileSync('npm', ['ci', '--no-progress'], { cwd: peerDirectory, stdio: 'inherit' });
}

const rows = plan.filter((row) => withPeers || row.server === 'visavis').map((row) => ({ ...row, results: [] }));
for (let turn = 0; turn < Number(options.repeat); turn++) {
    for (const row of rows) {
        if (turn > 0 && !row.repeated) continue;
        console.error(`== ${row.server}: ${row.name} (${turn + 1})`);
        try {
            row.results.push(await measure(row));
        } catch (error) {
            console.error(`bench: ${row.server}: ${row.name}: ${error.message}`);
            process.exitCode = 1;
        }
    }
}

const table = rows.map((row) => ({ name: row.name, server: row.server, ...summarise(row.results) }));
const find = (name, server) => table.find((row) => row.name === name && row.server === server);
const ratio = (field, name, against, peer = 'node-socketio') => {
    const [ours, theirs] = [find(name, 'visavis')?.[field], find(against, peer)?.[field]];
    return ours && theirs ? Math.round((ours / theirs) * 1000) / 1000 : undefined;
};
const ratios = {
    cpu_classic_to_node: ratio('server_cpu_us_per_pair', 'storm, classic order', 'storm, classic order'),
    cpu_ticket_to_node: ratio('server_cpu_us_per_pair', 'storm, offer in the ticket', 'storm, classic order'),
    cpu_ticket_to_classic: ratio('server_cpu_us_per_pair', 'storm, offer in the ticket', 'storm, classic order', 'visavis'),
    last_matched_to_node: ratio('found_last_ms', 'storm, match only', 'storm, match only'),
    idle_memory_to_node: ratio('idle_kib_per_connection', 'idle', 'idle'),
};
const outcome = {
    command: ['bench/load/run.mjs', ...process.argv.slice(2)].join(' '),
    made: new Date().toISOString().slice(0, 10),
    machine: machine(),
    ratios,
    table,
    runs: rows.map(({ name, server, args, results }) => ({ name, server, args, results })),
};
const out = join(root, options.out);
mkdirSync(dirname(out), { recursive: true });
writeFileSync(out, `${JSON.stringify(outcome, null, 1)}\n`);
console.table(
    table.map((row) => ({
        server: row.server,
        what: row.name,
        'CPU µs/pair': row.server_cpu_us_per_pair,
        'client µs/pair': row.client_cpu_us_per_pair,
        'found p50 ms': row.found_p50_ms,
        'last ms': row.found_last_ms,
        'relay p99 ms': row.relay_p99_ms,
        'idle KiB': row.idle_kib_per_connection,
        'used KiB': row.after_handshake_kib_per_connection,
        violations: row.violations,
    })),
);
console.log(ratios);
if (table.some((row) => row.violations > 0)) process.exitCode = 1;
