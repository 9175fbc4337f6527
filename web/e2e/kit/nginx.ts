// nginx in front of the server, as operators have it: one process on a free port, ended by its own id.

import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const STARTS_WITHIN_MS = 10_000;

export class Nginx {
  #child: ChildProcess;
  #folder: string;
  readonly port: number;

  private constructor(child: ChildProcess, folder: string, port: number) {
    this.#child = child;
    this.#folder = folder;
    this.port = port;
  }

  /** `locations`: what stands in the `server` block beside the port. */
  static async start(locations: string): Promise<Nginx> {
    const folder = mkdtempSync(join(tmpdir(), "visavis-nginx-"));
    const port = await freePort();
    for (const name of ["body", "proxy", "fastcgi", "uwsgi", "scgi"]) mkdirSync(join(folder, name));
    const temporary = ["client_body:body", "proxy:proxy", "fastcgi:fastcgi", "uwsgi:uwsgi", "scgi:scgi"]
      .map((pair) => pair.split(":"))
      .map(([setting, name]) => `${setting}_temp_path ${folder}/${name};`)
      .join("\n");
    const conf = `daemon off;
      worker_processes 1;
      user root;
      pid ${folder}/pid;
      error_log ${folder}/error.log;
      events { worker_connections 256; }
      http {
        access_log off;
        ${temporary}
        map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
        server {
          listen 127.0.0.1:${port};
          proxy_http_version 1.1;
          proxy_set_header Host $http_host;
          proxy_set_header Upgrade $http_upgrade;
          proxy_set_header Connection $connection_upgrade;
          proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
          ${locations}
        }
      }`;
    writeFileSync(`${folder}/nginx.conf`, conf);
    const child = spawn("nginx", ["-c", `${folder}/nginx.conf`, "-p", folder], { stdio: "inherit" });
    const nginx = new Nginx(child, folder, port);
    for (const endMs = Date.now() + STARTS_WITHIN_MS; !(await answers(port));) {
      if (child.exitCode !== null || Date.now() > endMs) {
        await nginx.end();
        throw new Error("nginx does not start.");
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return nginx;
  }

  async end(): Promise<void> {
    if (this.#child.exitCode === null) {
      const gone = new Promise((resolve) => this.#child.once("exit", resolve));
      this.#child.kill("SIGTERM");
      await gone;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

async function freePort(): Promise<number> {
  const listener = createServer();
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const { port } = listener.address() as AddressInfo;
  await new Promise((resolve) => listener.close(resolve));
  return port;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("close", () => socket.destroy());
  });
}
