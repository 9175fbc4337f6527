"""A visitor that shares no line with our own client: written from docs/protocol.md, with aiortc and websockets.

It takes one command a line on its standard input and tells one event a line on its standard output, both as JSON:

    {"do": "search", "kind": "video"}  next  stop  say (text)  ping
    {"event": "waiting"}  matched  connected  left  text  media  error  frame

Its camera shows stripes that wander, its microphone hums. Texts go through the server: of our data channel it knows
nothing. With `own_channel` in its settings it opens one of its own, as other clients do.
"""

import asyncio
import fractions
import json
import math
import struct
import sys
import time

from aiortc import (
    AudioStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
    VideoStreamTrack,
)
from aiortc.mediastreams import MediaStreamError
from aiortc.sdp import candidate_from_sdp
from av import AudioFrame, VideoFrame
from websockets.asyncio.client import connect

WIDTH, HEIGHT = 320, 240


def tell(event, **rest):
    print(json.dumps({"event": event, **rest}), flush=True)


class Camera(VideoStreamTrack):
    async def recv(self):
        pts, time_base = await self.next_timestamp()
        frame = VideoFrame(WIDTH, HEIGHT, "yuv420p")
        shift = (pts // 9_000) % 64
        line = bytes(0x20 if (x + shift) % 64 < 32 else 0xD0 for x in range(WIDTH))
        for plane, value in zip(frame.planes, (None, 0x80, 0x80)):
            if value is None:
                padded = line.ljust(plane.line_size, b"\x10")
                plane.update(padded * plane.height)
            else:
                plane.update(bytes([value]) * plane.buffer_size)
        frame.pts, frame.time_base = pts, time_base
        return frame


class Microphone(AudioStreamTrack):
    RATE, SAMPLES = 48_000, 960

    def __init__(self):
        super().__init__()
        self.sent = 0
        self.begun = None

    async def recv(self):
        self.begun = self.begun or time.monotonic()
        await asyncio.sleep(max(0, self.begun + self.sent / self.RATE - time.monotonic()))
        wave = (
            int(8_000 * math.sin(math.tau * 300 * (self.sent + n) / self.RATE)) for n in range(self.SAMPLES)
        )
        frame = AudioFrame(format="s16", layout="mono", samples=self.SAMPLES)
        frame.planes[0].update(struct.pack(f"<{self.SAMPLES}h", *wave))
        frame.pts, frame.sample_rate = self.sent, self.RATE
        frame.time_base = fractions.Fraction(1, self.RATE)
        self.sent += self.SAMPLES
        return frame


class Seen:
    """What arrived of strangers' pictures and sounds, in all calls."""

    def __init__(self):
        self.frames = self.width = self.contrast = 0
        self.loudness = 0.0

    def follow(self, track):
        return asyncio.ensure_future(self.watch(track) if track.kind == "video" else self.listen(track))

    async def watch(self, track):
        while frame := await until_over(track):
            self.frames, self.width = self.frames + 1, frame.width
            if self.frames % 5 == 0:
                points = bytes(frame.reformat(format="gray").planes[0])[::97]
                self.contrast = max(points) - min(points)
                self.tell()

    async def listen(self, track):
        heard = 0
        while frame := await until_over(track):
            samples = struct.unpack(f"<{len(bytes(frame.planes[0])) // 2}h", bytes(frame.planes[0]))
            self.loudness = max(self.loudness, max(map(abs, samples), default=0) / 32_768)
            heard += 1
            if heard % 25 == 0:
                self.tell()

    def tell(self):
        tell("media", **vars(self))


async def until_over(track):
    try:
        return await track.recv()
    except MediaStreamError:
        return None


class Call:
    """One peer connection: for one match, and no other. It may have been made while waiting."""

    def __init__(self, client):
        self.client = client
        self.match_id = None
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.tasks = []
        self.begun = time.monotonic()
        self.connection.on("track", lambda track: self.tasks.append(client.seen.follow(track)))
        self.connection.on("connectionstatechange", self.on_state)

    def open_channel(self):
        if not self.client.own_channel:
            return
        channel = self.connection.createDataChannel("my own")
        channel.on("open", lambda: channel.send('{"type":"chat","text":"of my own"}'))

    async def offer(self):
        for track in self.client.devices():
            self.connection.addTrack(track)
        self.open_channel()
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return self.connection.localDescription.sdp

    async def answer(self, sdp):
        """Sends its own on the m-lines that the offer has."""
        await self.connection.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        for track in self.client.devices():
            if not any(sender.track and sender.track.kind == track.kind for sender in self.connection.getSenders()):
                self.connection.addTrack(track)
        self.open_channel()
        await self.connection.setLocalDescription(await self.connection.createAnswer())
        return self.connection.localDescription.sdp

    async def accept(self, sdp):
        await self.connection.setRemoteDescription(RTCSessionDescription(sdp, "answer"))

    async def add(self, candidates):
        for each in candidates if isinstance(candidates, list) else [candidates]:
            line = (each or {}).get("candidate")
            if not line:
                continue
            candidate = candidate_from_sdp(line.split(":", 1)[1])
            candidate.sdpMid, candidate.sdpMLineIndex = each.get("sdpMid"), each.get("sdpMLineIndex")
            await self.connection.addIceCandidate(candidate)

    async def on_state(self):
        state = self.connection.connectionState
        tell("connection", state=state)
        if state == "connected" and self.match_id:
            await self.client.on_connected(self)

    async def close(self):
        for task in self.tasks:
            task.cancel()
        await self.connection.close()


class Client:
    def __init__(self, settings):
        self.settings = settings
        self.seen = Seen()
        self.own_channel = settings.get("own_channel", False)
        self.kind = "video"
        self.match_id = None
        self.waiting = None
        self.call = None
        self.socket = None

    def devices(self):
        return [Microphone(), Camera()] if self.kind == "video" else [Microphone()]

    async def run(self):
        async with connect(self.settings["url"]) as self.socket:
            if self.settings.get("hello", True):
                await self.send(type="hello", version=1, **self.settings.get("greeting", {}))
            commands = asyncio.ensure_future(self.obey())
            async for frame in self.socket:
                message = json.loads(frame)
                tell("frame", type=message["type"])
                handle = getattr(self, f"on_{message['type']}", None)
                if handle:
                    await handle(message)
            commands.cancel()
        tell("closed", code=self.socket.close_code)

    async def send(self, **message):
        await self.socket.send(json.dumps(message))

    async def signal(self, type, **rest):
        await self.send(type=type, match_id=self.match_id, **rest)

    # What the test wants.

    async def obey(self):
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            command = json.loads(line)
            await getattr(self, f"do_{command.pop('do')}")(**command)
        await self.socket.close()

    async def do_search(self, kind="video", with_offer=True):
        self.kind = kind
        offer = {"offer": {"sdp": await self.wait_with_offer()}} if with_offer and kind != "text" else {}
        await self.send(type="find_partner", kind=kind, requeue=True, **offer)

    async def do_next(self):
        await self.end_match()
        offer = {"offer": {"sdp": await self.wait_with_offer()}} if self.kind != "text" else {}
        await self.send(type="next", **offer)

    async def do_stop(self):
        await self.end_match()
        await self.send(type="stop")

    async def do_ping(self):
        await self.send(type="ping")

    async def do_say(self, text):
        await self.signal("message", text=text)

    async def wait_with_offer(self):
        if self.waiting:
            await self.waiting.close()
        self.waiting = Call(self)
        return await self.waiting.offer()

    # What the server says.

    async def on_ping(self, message):
        await self.send(type="pong")

    async def on_pong(self, message):
        tell("pong", received=message["received"])

    async def on_waiting(self, message):
        tell("waiting")

    async def on_error(self, message):
        tell("error", code=message["code"], message=message["message"])

    async def on_partner_found(self, message):
        await self.end_match()
        self.match_id = message["match_id"]
        tell("matched", mode=message["mode"], initiator=message["initiator"], offered="offer" in message)
        if message["mode"] == "text":
            return tell("connected")
        if "offer" in message:
            await self.take(message["offer"]["sdp"])
        elif message["mode"] == "answer_offer" or not message["initiator"]:
            # The offer that waited is out, and its answer is on the way; or the other side makes one.
            if message["initiator"]:
                self.call, self.waiting = self.waiting, None
                self.call.match_id = self.match_id
        else:
            if not self.waiting:
                await self.wait_with_offer()
            self.call, self.waiting = self.waiting, None
            self.call.match_id = self.match_id
            await self.signal("offer", sdp=self.call.connection.localDescription.sdp)

    async def on_offer(self, message):
        if message["match_id"] == self.match_id:
            await self.take(message["sdp"])

    async def take(self, sdp):
        """Answers. aiortc cannot restart ICE: a further offer of the same match gets a new connection."""
        before, self.call = self.call, Call(self)
        self.call.match_id = self.match_id
        await self.signal("answer", sdp=await self.call.answer(sdp))
        if before:
            await before.close()

    async def on_answer(self, message):
        if message["match_id"] == self.match_id and self.call:
            await self.call.accept(message["sdp"])

    async def on_ice_candidate(self, message):
        if message["match_id"] == self.match_id and self.call:
            await self.call.add(message["candidate"])

    async def on_message(self, message):
        tell("text", text=message["text"])

    async def on_partner_left(self, message):
        await self.end_match()
        tell("left", reason=message["reason"], requeued=message["requeued"])
        # Back in line, but without an offer.
        if message["requeued"] and self.kind != "text":
            await self.send(type="ticket_offer", sdp=await self.wait_with_offer())

    async def on_connected(self, call):
        elapsed_ms = int((time.monotonic() - call.begun) * 1_000)
        await self.signal("connected", path="direct", elapsed_ms=elapsed_ms)
        tell("connected")

    async def end_match(self):
        self.match_id = None
        if self.call:
            await self.call.close()
            self.call = None


asyncio.run(Client(json.loads(sys.argv[1])).run())
