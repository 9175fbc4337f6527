// The picture that a video shows at this moment.

const MAX_SIDE_PX = 640;

/** Null where there is none. */
export function stillOf(video: HTMLVideoElement | undefined): HTMLCanvasElement | null {
  if (!video?.srcObject || video.videoWidth === 0) return null;
  const scale = Math.min(1, MAX_SIDE_PX / Math.max(video.videoWidth, video.videoHeight));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(video.videoWidth * scale);
  canvas.height = Math.round(video.videoHeight * scale);
  canvas.getContext("2d")?.drawImage(video, 0, 0, canvas.width, canvas.height);
  return canvas;
}
