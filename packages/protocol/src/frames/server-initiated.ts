/** Frames that may arrive without having been asked for; they carry `"server_initiated": true`. */
export const SERVER_INITIATED = ['notification', 'going_away'] as const;
