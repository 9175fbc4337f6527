// Drawings of the bar and the stage.
export const NEXT = "M5 5l7 7-7 7M12 5l7 7-7 7";
export const STOP = "M6 6h12v12H6z";
export const MORE = "M4 7h16M4 12h16M4 17h16";
export const MOVE =
  "M12 3v18M3 12h18M9.5 5.5L12 3l2.5 2.5M9.5 18.5L12 21l2.5-2.5M5.5 9.5L3 12l2.5 2.5M18.5 9.5L21 12l-2.5 2.5";
export const UP = "M5 15l7-7 7 7";
export const DOWN = "M5 9l7 7 7-7";
