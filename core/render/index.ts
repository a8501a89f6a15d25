/** The door of the room: one folder for each backend (DESIGN §4); nft is the only one today. */
export * from "./nft/index.ts";
