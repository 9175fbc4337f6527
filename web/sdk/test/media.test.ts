import { describe, expect, test } from "vitest";
import { FakeConnection, FakeTrack, World, type World as AWorld } from "./world.js";

function camera(): FakeTrack {
  const found = [...FakeTrack.live].find(({ kind }) => kind === "video");
  if (!found) throw new Error("no camera is on");
  return found;
}

const sent = (world: AWorld, number: number) =>
  world.connection(number).transceivers.map(({ sender }) => `${sender.track?.kind}:${sender.track?.device}`);

describe("camera and microphone", () => {
  test("are asked for once and kept between strangers", async () => {
    const world = new World();
    await world.call();
    world.client.next();
    await world.pass(100);
    await world.find({ match_id: "m2" });
    expect(world.devices.asked).toHaveLength(1);
    expect(world.names.filter((name) => name === "permission")).toHaveLength(1);
    expect(world.events("localStream")).toHaveLength(1);
  });

  test("only as much as the kind needs", async () => {
    const world = new World();
    await world.wait({ kind: "audio" });
    expect(world.devices.asked).toMatchObject([{ audio: expect.anything() }]);
    expect(world.devices.asked[0]).not.toHaveProperty("video");
    expect(sent(world, 1)).toEqual(["audio:default"]);
  });

  test("the camera goes off with the change to audio, and both with the change to text", async () => {
    const world = new World();
    await world.wait({ kind: "video" });
    void world.client.start({ kind: "audio" });
    await world.pass(60);
    expect([...FakeTrack.live].map(({ kind }) => kind)).toEqual(["audio"]);
    expect(world.devices.asked).toHaveLength(1);
    void world.client.start({ kind: "text" });
    await world.pass(60);
    expect(FakeTrack.live.size).toBe(0);
    expect(FakeConnection.live.size).toBe(0);
  });

  test.each([
    ["NotAllowedError", "camera_denied"],
    ["NotFoundError", "camera_missing"],
    ["OverconstrainedError", "camera_missing"],
    ["NotReadableError", "camera_in_use"],
    ["TypeError", "media_failed"],
  ])("%s is the error %s", async (name, reason) => {
    const world = new World();
    world.devices.failures.push(name);
    await world.client.start({ kind: "video" });
    expect(world.state).toMatchObject({
      name: "error",
      wishes: { kind: "video" },
      error: { reason, retry: true },
    });
    void world.client.start({ kind: "video" });
    await world.pass(0);
    expect(world.state.name).toBe("waiting");
  });

  test("over plain HTTP the reason is said", async () => {
    const world = new World({ environment: { mediaDevices: undefined } });
    world.page.isSecureContext = false;
    await world.client.start({ kind: "video" });
    expect(world.state).toMatchObject({ name: "error", error: { reason: "insecure_context", retry: false } });
  });

  test("a browser without WebRTC can still write", async () => {
    const world = new World({ environment: { RTCPeerConnection: undefined as never } });
    await world.client.start({ kind: "audio" });
    expect(world.state).toMatchObject({ name: "error", error: { reason: "unsupported_browser" } });
    await world.wait({ kind: "text" });
    expect(world.state.name).toBe("waiting");
  });

  test("nobody is given to a visitor who still answers the prompt", async () => {
    const world = new World();
    let allow = () => {};
    world.devices.prompt = new Promise((resolve) => (allow = resolve));
    void world.client.start({ kind: "video" });
    world.server.accept();
    await world.pass(5_000);
    expect(world.state.name).toBe("permission");
    expect(world.server.types()).toEqual(["hello"]);
    allow();
    await world.pass(60);
    expect(world.server.types()).toEqual(["hello", "find_partner"]);
  });

  test("a prompt answered after Stop turns nothing on", async () => {
    const world = new World();
    let allow = () => {};
    world.devices.prompt = new Promise((resolve) => (allow = resolve));
    void world.client.start({ kind: "video" });
    await world.pass(0);
    world.client.stop();
    allow();
    await world.pass(60);
    expect(world.state.name).toBe("idle");
    expect(FakeTrack.live.size).toBe(0);
    expect(world.client.localStream).toBeNull();
  });

  test("mute lasts, also on the next device", async () => {
    const world = new World();
    await world.wait();
    world.client.setMicrophone(false);
    await world.client.switchDevices({ microphoneId: "microphone-2" });
    expect(world.client.microphoneOn).toBe(false);
    expect([...FakeTrack.live].find(({ kind }) => kind === "audio")).toMatchObject({
      device: "microphone-2",
      enabled: false,
    });
  });

  test("are switched in every connection without renegotiation", async () => {
    const world = new World();
    await world.call();
    await world.client.switchDevices({ cameraId: "camera-2" });
    expect(world.devices.asked.at(-1)).toMatchObject({ video: { deviceId: { exact: "camera-2" } } });
    expect(sent(world, 1)).toEqual(["audio:default", "video:camera-2"]);
    expect(sent(world, 2)).toEqual(["audio:default", "video:camera-2"]);
    expect(FakeTrack.live.size).toBe(2);
    expect(world.events("localStream")).toHaveLength(2);
    expect(world.server.of("offer")).toEqual([]);
  });

  test("a phone that opens one camera at a time gives up the old one first", async () => {
    const world = new World();
    await world.wait();
    world.devices.failures.push("NotReadableError");
    await world.client.switchDevices({ cameraId: "camera-2" });
    expect(sent(world, 1)).toEqual(["audio:default", "video:camera-2"]);
    expect(FakeTrack.live.size).toBe(2);
  });

  test("a switch that fails leaves the old device in use", async () => {
    const world = new World();
    await world.wait();
    world.devices.failures.push("NotFoundError");
    await expect(world.client.switchDevices({ cameraId: "gone" })).rejects.toMatchObject({
      reason: "camera_missing",
    });
    world.devices.failures.push("NotReadableError", "NotReadableError");
    await expect(world.client.switchDevices({ cameraId: "busy" })).rejects.toMatchObject({
      reason: "camera_in_use",
    });
    await world.pass(0);
    expect(sent(world, 1)).toEqual(["audio:default", "video:default"]);
    expect(FakeTrack.live.size).toBe(2);
  });

  test("a device that is unplugged is replaced, or missed without ending the call", async () => {
    const world = new World();
    await world.call();
    camera().unplug();
    await world.pass(0);
    expect(world.client.localStream?.getTracks()).toHaveLength(2);
    world.devices.failures.push("NotFoundError");
    camera().unplug();
    await world.pass(0);
    expect(world.client.localStream?.getTracks().map(({ kind }) => kind)).toEqual(["audio"]);
    expect(sent(world, 1)).toEqual(["audio:default", "undefined:undefined"]);
    expect(world.state.name).toBe("connected");
  });

  test("a camera that stays black after a phone call is opened again", async () => {
    const world = new World();
    await world.wait();
    const before = camera();
    before.muted = true;
    world.page.becomesVisible();
    await world.pass(2_000);
    expect(world.devices.asked).toHaveLength(2);
    expect(before.readyState).toBe("ended");
  });

  test("a camera that is switched off is released, and comes back on without another negotiation", async () => {
    const world = new World();
    await world.call();
    world.client.setCamera(false);
    expect([...FakeTrack.live].map(({ kind }) => kind)).toEqual(["audio"]);
    expect(sent(world, 1)).toEqual(["audio:default", "undefined:undefined"]);
    expect(world.client.localStream?.getTracks().map(({ kind }) => kind)).toEqual(["audio"]);
    expect(world.client.localDevices).toEqual({ microphone: "on", camera: "off" });
    world.client.setCamera(true);
    await world.pass(0);
    expect(world.devices.asked).toHaveLength(2);
    expect(world.devices.asked[1]).not.toHaveProperty("audio");
    expect(sent(world, 1)).toEqual(["audio:default", "video:default"]);
    expect(world.server.of("offer")).toEqual([]);
    expect(world.client.localDevices).toEqual({ microphone: "on", camera: "on" });
  });

  test("a camera that is off stays off with the next stranger, and nothing asks for it", async () => {
    const world = new World();
    await world.call();
    world.client.setCamera(false);
    world.client.next();
    await world.pass(100);
    await world.find({ match_id: "m2", initiator: false, offer: { sdp: "their-offer" } });
    await world.client.start({ kind: "video" });
    expect(world.devices.asked).toHaveLength(1);
    expect([...FakeTrack.live].map(({ kind }) => kind)).toEqual(["audio"]);
  });

  test("a camera switched off while it opens stays off", async () => {
    const world = new World();
    await world.call();
    world.client.setCamera(false);
    let allow = () => {};
    world.devices.prompt = new Promise((resolve) => (allow = resolve));
    world.client.setCamera(true);
    world.client.setCamera(false);
    allow();
    await world.pass(0);
    expect([...FakeTrack.live].map(({ kind }) => kind)).toEqual(["audio"]);
  });

  test("a camera switched off while the browser asks for it is let go at once", async () => {
    const world = new World();
    let allow = () => {};
    world.devices.prompt = new Promise((resolve) => (allow = resolve));
    void world.client.start({ kind: "video" });
    await world.pass(0);
    world.client.setCamera(false);
    allow();
    await world.pass(60);
    expect([...FakeTrack.live].map(({ kind }) => kind)).toEqual(["audio"]);
    expect(world.client.localStream?.getTracks().map(({ kind }) => kind)).toEqual(["audio"]);
    expect(world.client.localDevices).toEqual({ microphone: "on", camera: "off" });
  });

  test("a camera switched off while another one opens stays off", async () => {
    for (const failure of [null, "NotReadableError"]) {
      const world = new World();
      await world.call();
      let allow = () => {};
      world.devices.prompt = new Promise((resolve) => (allow = resolve));
      if (failure) world.devices.failures.push(failure);
      const switched = world.client.switchDevices({ cameraId: "camera-2" }).catch(() => {});
      await world.pass(0);
      world.client.setCamera(false);
      allow();
      await switched;
      await world.pass(0);
      expect([...FakeTrack.live].map(({ kind }) => kind)).toEqual(["audio"]);
      expect(world.devices.asked).toHaveLength(2);
      expect(world.client.localDevices.camera).toBe("off");
    }
  });

  test("a switch that fails after Stop opens nothing", async () => {
    for (const failure of ["NotFoundError", "NotReadableError"]) {
      const world = new World();
      await world.call();
      let allow = () => {};
      world.devices.prompt = new Promise((resolve) => (allow = resolve));
      world.devices.failures.push(failure);
      const switched = world.client.switchDevices({ cameraId: "camera-2" }).catch(() => {});
      await world.pass(0);
      world.client.stop();
      allow();
      await switched;
      await world.pass(0);
      expect(FakeTrack.live.size).toBe(0);
      expect(world.devices.asked).toHaveLength(2);
      expect(world.client.localStream).toBeNull();
    }
  });

  test("a device that is plugged in after a refusal is not asked for", async () => {
    const world = new World();
    world.devices.failures.push("NotAllowedError");
    await world.client.start({ kind: "video" });
    world.devices.dispatchEvent(new Event("devicechange"));
    await world.pass(0);
    expect(world.devices.asked).toHaveLength(1);
    expect(FakeTrack.live.size).toBe(0);
    await world.client.start({ kind: "video" });
    expect(FakeTrack.live.size).toBe(2);
  });

  test("a camera that does not come back on is said, and the call goes on", async () => {
    const world = new World();
    await world.call();
    world.client.setCamera(false);
    world.devices.failures.push("NotReadableError");
    world.client.setCamera(true);
    await world.pass(0);
    expect(world.events("deviceTrouble")).toMatchObject([{ reason: "camera_in_use" }]);
    expect(world.client.localDevices.camera).toBe("lost");
    expect(world.state.name).toBe("connected");
  });

  test("the only microphone, unplugged, is said, and taken up again when it returns", async () => {
    const world = new World();
    await world.call();
    world.devices.failures.push("NotFoundError");
    [...FakeTrack.live].find(({ kind }) => kind === "audio")?.unplug();
    await world.pass(0);
    expect(world.events("localDevices").at(-1)).toEqual({ microphone: "lost", camera: "on" });
    expect(sent(world, 1)).toEqual(["undefined:undefined", "video:default"]);
    world.devices.dispatchEvent(new Event("devicechange"));
    await world.pass(0);
    expect(world.events("localDevices").at(-1)).toEqual({ microphone: "on", camera: "on" });
    expect(sent(world, 1)).toEqual(["audio:default", "video:default"]);
    const asked = world.devices.asked.length;
    world.devices.dispatchEvent(new Event("devicechange"));
    await world.pass(0);
    expect(world.devices.asked).toHaveLength(asked);
  });

  test("a camera that the system holds back is told as lost until it is given back", async () => {
    const world = new World();
    await world.call();
    camera().hold(true);
    expect(world.client.localDevices.camera).toBe("lost");
    camera().hold(false);
    expect(world.client.localDevices.camera).toBe("on");
  });

  test("a prompt that nobody answers is hinted at after 8 s", async () => {
    const world = new World();
    let allow = () => {};
    world.devices.prompt = new Promise((resolve) => (allow = resolve));
    void world.client.start({ kind: "video" });
    await world.pass(7_900);
    expect(world.events("mediaPending")).toEqual([]);
    await world.pass(200);
    expect(world.events("mediaPending")).toEqual([true]);
    allow();
    await world.pass(100);
    expect(world.events("mediaPending")).toEqual([true, false]);
  });

  test("a remembered camera that is gone still leads to the one that faces the visitor", async () => {
    for (const [cameraId, facing] of [
      ["gone", { facingMode: "user" }],
      ["camera-2", {}],
    ] as const) {
      const world = new World({ devices: { cameraId } });
      await world.wait();
      expect(world.devices.asked[0]?.video).toEqual({
        width: 640,
        height: 480,
        deviceId: cameraId,
        ...facing,
      });
    }
  });

  test("the ones in use are named, also after a switch that failed", async () => {
    const world = new World();
    await world.wait();
    expect(world.client.devicesInUse).toEqual({ cameraId: "default", microphoneId: "default" });
    await world.client.switchDevices({ cameraId: "camera-2" });
    world.devices.failures.push("NotReadableError", "NotReadableError");
    await world.client.switchDevices({ cameraId: "busy" }).catch(() => {});
    expect(world.client.devicesInUse).toMatchObject({ cameraId: "camera-2" });
  });

  test("are listed", async () => {
    const { cameras, microphones } = await new World().client.devices();
    expect([cameras, microphones]).toMatchObject([
      [{ deviceId: "camera-2" }],
      [{ deviceId: "microphone-2" }],
    ]);
  });
});
