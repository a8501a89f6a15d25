/** The version of this house, told by `--version` and in reports. */
export const version = "0.1.0";
