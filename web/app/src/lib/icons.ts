// The drawings that the first thing to be seen needs, as paths on a grid of 24; what comes behind it brings its own.
export const KIND_ICONS = {
  video: "M3 6.5h12v11H3zM15 11l6-4v10l-6-4",
  audio: "M9 3.5h6v10.5H9zM5.5 11v1a6.5 6.5 0 0 0 13 0v-1M12 18.5V21",
  text: "M3.5 4.5h17v12H10l-4.5 4v-4h-2zM7.5 9h9M7.5 12.5h6",
} as const;
