/** Told in reports and by `--version`. */
export const agentVersion = "0.1.0";
