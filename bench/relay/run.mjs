#!/usr/bin/env node
// What a relayed packet costs: the embedded relay beside coturn, the same load in the same run.
//
//   bench/relay/run.mjs [--seconds 5] [--repeat 3] [--bytes 1000] [--out FILE]
//
// The relay is pinned to core 0 and the load to core 1; each run has a fresh relay; the relays take turns, so that a
// disturbance of the machine meets both. Trust the ratios, which are of one run, and not the microseconds.
// "Paced" rows: packet after packet, and eight packets of one flow at a time (as those of a video frame); nothing may be
// lost there. "Saturated": 64 packets under way all the time.
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, release, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const { values: options } = parseArgs({
    options: {
        seconds: { type: 'string', default: '5' },
        repeat: { type: 'string', default: '3' },
        bytes: { type: 'string', default: '1000' },
        out: { type: 'string', default: 'bench/results/relay.json' },
    },
});
const binary = (name, variable) => process.env[variable] ?? join(root, 'target/release', name);
const visavis = binary('visavis', 'VISAVIS_BIN');
const load = binary('visavis-relay-load', 'VISAVIS_RELAY_LOAD_BIN');
const folder = mkdtempSync(join(tmpdir(), 'visavis-bench-relay-'));
const secret = randomBytes(16).toString('hex');
const AIM = 0.9;

const LOADS = [
    { name: 'paced, packet after packet', args: ['--rate', '50000'], paced: true },
    { name: 'paced, eight at a time', args: ['--rate', '80000', '--burst', '8'], paced: true },
    { name: 'saturated', args: ['--rate', '0'], paced: false },
];
const CLIENTS = [20, 400];

const relays = {
    visavis: {
        version: () => said(visavis, ['--version']),
        command: (port) => [
            visavis,
            ...['turn', '--listen', `127.0.0.1:${port}`, '--relay-address', '127.0.0.1', '--allow-local-peers'],
            ...['--realm', 'bench', '--secret', secret],
            // Bounds that no visitor meets, and one client for many would.
            ...['--bytes-per-s', '0', '--stranger-replies-per-s', '0'],
        ],
    },
    coturn: {
        version: () => said('turnserver', ['--version']),
        command: (port) => ['turnserver', '-c', coturnConfig(port)],
    },
};

// As little as the measurement needs, and without a limit that would bind it. One relay thread: it has one core.
function coturnConfig(port) {
    const file = join(folder, 'turnserver.conf');
    const database = join(folder, 'db');
    execFileSync('turnadmin', ['--list', '--userdb', database], { stdio: 'ignore' });
    const lines = [
        ...['use-auth-secret', `static-auth-secret=${secret}`, 'realm=bench', `listening-port=${port}`],
        ...['listening-ip=127.0.0.1', 'relay-ip=127.0.0.1', 'allow-loopback-peers', 'relay-threads=1'],
        ...['no-cli', 'no-tcp', 'no-tls', 'no-dtls', 'no-rfc5780', `userdb=${database}`, `pidfile=${join(folder, 'pid')}`],
        ...['log-file=/dev/null', 'no-stdout-log'],
    ];
    writeFileSync(file, `${lines.join('\n')}\n`, { mode: 0o600 });
    return file;
}

function said(program, args) {
    try {
        return execFileSync(program, args, { encoding: 'utf8' }).trim().split('\n')[0];
    } catch {
        return null;
    }
}

const pinned = said('taskset', ['-c', '0,1', 'echo', 'yes']) === 'yes';
const pin = (core, command) => (pinned ? ['taskset', '-c', String(core), ...command] : command);

async function freePort() {
    const socket = createSocket('udp4');
    await new Promise((resolve) => socket.bind(0, '127.0.0.1', resolve));
    const { port } = socket.address();
    await new Promise((resolve) => socket.close(resolve));
    return port;
}

/** A Binding request until there is an answer. */
async function answers(port, child) {
    const socket = createSocket('udp4');
    const request = Buffer.concat([Buffer.from('000100002112a442', 'hex'), randomBytes(12)]);
    try {
        let answered = false;
        socket.once('message', () => (answered = true));
        for (let tries = 0; tries < 100; tries++) {
            if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`);
            socket.send(request, port, '127.0.0.1');
            await new Promise((resolve) => setTimeout(resolve, 100));
            if (answered) return;
        }
        throw new Error('it does not answer');
    } finally {
        socket.close();
    }
}

async function measure(relay, clients, args) {
    const port = await freePort();
    const [program, ...rest] = pin(0, relays[relay].command(port));
    const child = spawn(program, rest, { stdio: 'ignore' });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    try {
        await answers(port, child);
        const to = ['--relay', `127.0.0.1:${port}`, '--secret', secret, '--relay-pid', String(child.pid)];
        const how = ['--clients', String(clients), '--bytes', options.bytes, '--seconds', options.seconds, ...args];
        const [loader, ...all] = pin(1, [load, ...to, ...how]);
        const runner = spawn(loader, all, { stdio: ['ignore', 'pipe', 'inherit'] });
        let text = '';
        runner.stdout.on('data', (part) => (text += part));
        const code = await new Promise((resolve) => runner.once('close', resolve));
        if (code !== 0) throw new Error(`the load ended with ${code}`);
        return JSON.parse(text);
    } finally {
        child.kill('SIGKILL');
        await ended;
    }
}

const median = (numbers) => {
    const sorted = [...numbers].sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)];
};

for (const [program, mend] of [[visavis, 'make build'], [load, 'cargo build --release -p visavis-relay-load']]) {
    if (!existsSync(program)) {
        console.error(`bench: there is no release build to measure; run: ${mend}`);
        process.exit(2);
    }
}
if (relays.coturn.version() === null) {
    console.error('bench: coturn is missing; run: apt-get install coturn');
    process.exit(2);
}

const rows = CLIENTS.flatMap((clients) =>
    LOADS.flatMap((how) => Object.keys(relays).map((relay) => ({ relay, clients, ...how, results: [] }))),
);
try {
    for (let turn = 0; turn < Number(options.repeat); turn++) {
        for (const row of rows) {
            console.error(`== ${row.relay}: ${row.clients} clients, ${row.name} (${turn + 1})`);
            row.results.push(await measure(row.relay, row.clients, row.args));
        }
    }
} finally {
    rmSync(folder, { recursive: true, force: true });
}

const table = rows.map(({ relay, clients, name, paced, results }) => ({
    relay,
    clients,
    load: name,
    paced,
    relay_cpu_us_per_packet: median(results.map((result) => result.relay_cpu_us_per_packet)),
    packets_per_s: median(results.map((result) => result.packets_per_s)),
    loss_percent: median(results.map((result) => result.loss_percent)),
    wrong: Math.max(...results.map((result) => result.wrong)),
    relay_busy_percent: median(results.map((result) => result.relay_busy_percent)),
    load_busy_percent: median(results.map((result) => result.load_busy_percent)),
}));
const find = (relay, clients, name) =>
    table.find((row) => row.relay === relay && row.clients === clients && row.load === name);
const round = (number) => Math.round(number * 1000) / 1000;
const ratios = Object.fromEntries(
    CLIENTS.flatMap((clients) =>
        LOADS.map(({ name }) => [
            `${clients} clients, ${name}`,
            round(
                find('visavis', clients, name).relay_cpu_us_per_packet /
                    find('coturn', clients, name).relay_cpu_us_per_packet,
            ),
        ]),
    ),
);
const growth = Object.fromEntries(
    LOADS.flatMap(({ name }) =>
        Object.keys(relays).map((relay) => [
            `${relay}, ${name}`,
            round(
                find(relay, CLIENTS.at(-1), name).relay_cpu_us_per_packet /
                    find(relay, CLIENTS[0], name).relay_cpu_us_per_packet,
            ),
        ]),
    ),
);
const outcome = {
    command: ['bench/relay/run.mjs', ...process.argv.slice(2)].join(' '),
    made: new Date().toISOString().slice(0, 10),
    machine: {
        cores: availableParallelism(),
        processor: cpus()[0]?.model ?? null,
        kernel: release(),
        pinned,
        visavis: relays.visavis.version(),
        coturn: relays.coturn.version(),
    },
    aim: `CPU per packet at most ${AIM} of coturn's`,
    cpu_to_coturn: ratios,
    cpu_of_400_to_20_clients: growth,
    table,
    runs: rows.map(({ relay, clients, name, args, results }) => ({ relay, clients, load: name, args, results })),
};
const out = join(root, options.out);
mkdirSync(dirname(out), { recursive: true });
writeFileSync(out, `${JSON.stringify(outcome, null, 1)}\n`);
console.table(
    table.map((row) => ({
        relay: row.relay,
        clients: row.clients,
        load: row.load,
        'µs/packet': row.relay_cpu_us_per_packet,
        'packets/s': row.packets_per_s,
        'loss %': row.loss_percent,
        'relay busy %': row.relay_busy_percent,
        'load busy %': row.load_busy_percent,
    })),
);
console.log('to coturn', ratios, '400 clients to 20', growth);
const bad = table.filter((row) => row.relay === 'visavis' && (row.wrong > 0 || (row.paced && row.loss_percent > 0)));
for (const row of bad) console.error(`bench: visavis loses or misroutes packets: ${row.clients} clients, ${row.load}`);
if (bad.length > 0) process.exitCode = 1;
