/** The rotations of TUF's conformance suite, by what they are. */

/** What one root says of a role, and who signs: numbers name keys. */
interface Step {
  readonly keys: readonly number[];
  readonly threshold: number;
  readonly signers: readonly number[];
}
const step = (keys: readonly number[], threshold: number, signers: readonly number[]): Step => ({
  keys,
  threshold,
  signers,
});
const five = [1, 2, 3, 4, 5];
const oneNew = [2, 3, 4, 5, 6];

/** The suite's `root_rotation`: roots from one to the next, and how many of them are believed. */
export const rootRotations: readonly (readonly [string, readonly Step[], number])[] = [
  ["1-of-1 key rotation", [step([1], 1, [1]), step([2], 1, [1, 2])], 2],
  ["1-of-1 key rotation, unused signatures", [step([1], 1, [1, 3]), step([2], 1, [1, 2, 3])], 2],
  [
    "1-of-1 key rotation, not signed with the old key",
    [step([1], 1, [1]), step([2], 1, [2, 3])],
    1,
  ],
  [
    "1-of-1 key rotation, not signed with the new key",
    [step([1], 1, [1]), step([2], 1, [1, 3])],
    1,
  ],
  [
    "3-of-5, other keys sign each time",
    [step(five, 3, [1, 3, 5]), step(five, 3, [2, 3, 4]), step(five, 3, [1, 2, 5])],
    3,
  ],
  ["3-of-5, one key rotated", [step(five, 3, [1, 2, 3]), step(oneNew, 3, [1, 2, 3, 6])], 2],
  [
    "3-of-5, one key rotated, not by 3 new keys",
    [step(five, 3, [1, 2, 3]), step(oneNew, 3, [1, 2, 3])],
    1,
  ],
  [
    "3-of-5, one key rotated, not by 3 old keys",
    [step(five, 3, [1, 2, 3]), step(oneNew, 3, [2, 3, 6])],
    1,
  ],
  [
    "3-of-5, one key rotated over a step between",
    [step(five, 3, [1, 2, 3]), step(oneNew, 3, [2, 3, 4, 5]), step(oneNew, 3, [2, 3, 6])],
    3,
  ],
  [
    "3-of-5, all keys rotated over a step between",
    [
      step(five, 3, [1, 2, 3]),
      step([6, 7, 8], 3, [1, 2, 3, 6, 7, 8]),
      step([6, 7, 8], 3, [6, 7, 8]),
    ],
    3,
  ],
  ["1-of-3 to 2-of-3", [step([1, 2, 3], 1, [1]), step([1, 2, 3], 2, [1, 2])], 2],
  [
    "1-of-3 to 2-of-3, new threshold not reached",
    [step([1, 2, 3], 1, [1]), step([1, 2, 3], 2, [2])],
    1,
  ],
  [
    "2-of-3 to 1-of-3",
    [step([1, 2, 3], 2, [1, 2]), step([1, 2, 3], 1, [1, 2]), step([1, 2, 3], 1, [1])],
    3,
  ],
  [
    "2-of-3 to 1-of-3, old threshold not reached",
    [step([1, 2, 3], 2, [1, 2]), step([1, 2, 3], 1, [1])],
    1,
  ],
  ["1-of-2 to 2-of-2", [step([1], 1, [1]), step([1, 2], 2, [1, 2])], 2],
];

/** The suite's `non_root_rotations`, of the timestamp: the roots before, its last signers, and whether it is believed. */
export const otherRotations: readonly (readonly [string, readonly Step[], boolean])[] = [
  ["1-of-1 key rotation", [step([1], 1, [1]), step([2], 1, [2])], true],
  ["1-of-1 key rotation, unused signatures", [step([1], 1, [1, 3]), step([2], 1, [1, 2, 3])], true],
  [
    "1-of-1 key rotation, not signed with the new key",
    [step([1], 1, [1]), step([2], 1, [1, 3])],
    false,
  ],
  ["3-of-5, other keys sign", [step(five, 3, [1, 3, 5]), step(five, 3, [1, 2, 4])], true],
  ["3-of-5, one key rotated", [step(five, 3, [1, 2, 3]), step(oneNew, 3, [2, 5, 6])], true],
  [
    "3-of-5, one key rotated, not by 3 new keys",
    [step(five, 3, [1, 2, 3]), step(oneNew, 3, [1, 2, 3])],
    false,
  ],
  ["1-of-3 to 2-of-3", [step([1, 2, 3], 1, [1]), step([1, 2, 3], 2, [1, 2])], true],
  [
    "1-of-3 to 2-of-3, new threshold not reached",
    [step([1, 2, 3], 1, [1]), step([1, 2, 3], 2, [2])],
    false,
  ],
  ["2-of-3 to 1-of-3", [step([1, 2, 3], 2, [1, 2]), step([1, 2, 3], 1, [1])], true],
  ["1-of-2 to 2-of-2", [step([1, 2], 1, [1]), step([1, 2], 2, [1, 2])], true],
];
