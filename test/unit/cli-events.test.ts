/** Server-sent events as the command line reads them. */
import { expect, test } from "vitest";
import { eventsOf } from "#cli/http/events.ts";

async function read(
  ...pieces: readonly string[]
): Promise<{ ids: readonly string[]; taken: number }> {
  let taken = 0;
  const left = [...pieces];
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      const piece = left.shift();
      if (piece === undefined) return controller.close();
      taken += 1;
      controller.enqueue(new TextEncoder().encode(piece));
    },
  });
  const ids: string[] = [];
  for await (const { id } of eventsOf(stream)) ids.push(id);
  return { ids, taken };
}

test("events are read across pieces, and comments are passed over", async () => {
  const { ids } = await read(": no news\n\nid: 1\nda", "ta: {}\n\nid: 2\ndata: x\n\nid: 3\n");
  expect(ids).toEqual(["1", "2"]);
});

test("a stream whose event is longer than any ends, and no more of it is read", async () => {
  const pieces = Array.from({ length: 100 }, () => "x".repeat(256 * 1024));
  const { ids, taken } = await read("id: 1\ndata: {}\n\n", ...pieces);
  expect(ids).toEqual(["1"]);
  expect(taken).toBeLessThan(10);
});
