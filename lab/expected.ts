/**
 * Who reaches whom, written by hand from what the rows say, before any rule was made from them. Deliberately knows
 * nothing of the compiler or of `simulate`: it is what both are judged by.
 */
export type Stage = "carol operates" | "carol develops";

/** `from>to` of every pair that reaches; all other pairs, and everything to and from elsewhere, do not. */
const reaching: Readonly<Record<Stage, readonly string[]>> = {
  "carol operates": ["alice>bob", "bob>alice"],
  "carol develops": ["alice>bob", "bob>alice", "alice>carol", "carol>alice", "bob>carol", "carol>bob"],
};

export const expectedVerdict = (stage: Stage, from: string, to: string): "accept" | "drop" =>
  reaching[stage].includes(`${from}>${to}`) ? "accept" : "drop";
