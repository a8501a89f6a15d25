/**
 * A rollout followed to where it stops by itself: completed, halted, rolled back, taken over, or paused for a person.
 * Reads events and starts again where a connection ended; decides nothing.
 */
import { type ExitCode, exitCodes } from "#args/exits.ts";
import { type RolloutStatus, RolloutView } from "#schema/rollout.ts";
import { type Client, Unreachable } from "#cli/http/client.ts";
import type { Context } from "#cli/run/command.ts";
import { Failure, type Output } from "#cli/text/output.ts";
import { newsOf, listRolloutLines } from "./text.ts";

export const watchExits =
  "0 completed; 1 halted, rolled back or taken over by another rollout; 2 called wrongly; 3 paused, a person is needed.";

/** How it ends for whoever watches; undefined while it goes on by itself. */
function endOf(status: RolloutStatus): ExitCode | undefined {
  switch (status) {
    case "awaiting_approval":
    case "running":
      return undefined;
    case "completed":
      return exitCodes.ok;
    case "paused":
      return exitCodes.paused;
    case "halted":
    case "rolled_back":
    case "superseded":
      return exitCodes.failed;
  }
}

/** Shows each change until it stops. @throws Refusal; Unreachable when no answer comes for a minute */
export async function watchRollout(
  client: Client,
  id: number,
  { output, now, wait }: Context,
  json: boolean,
): Promise<ExitCode> {
  const screen = json ? jsonLines(output) : (openFrames(output, now) ?? openNewsLines(output, now));
  try {
    for await (const view of viewsOf(client, id, wait)) {
      screen.show(view);
      const end = endOf(view.status);
      if (end !== undefined) return end;
    }
  } finally {
    screen.close();
  }
  throw new Failure(`rollout ${id}: its events ended before it did`);
}

interface Screen {
  show(view: RolloutView): void;
  close(): void;
}

const jsonLines = (output: Output): Screen => ({
  show: (view) => output.line(JSON.stringify(view)),
  close: () => undefined,
});

const clock = (now: number): string => `${new Date(now).toISOString().slice(11, 19)}Z`;

function openNewsLines(output: Output, now: () => number): Screen {
  let before: RolloutView | undefined;
  return {
    show: (view) => {
      for (const news of newsOf(before, view)) output.line(`${clock(now())} ${news}`);
      before = view;
    },
    close: () => undefined,
  };
}

/** A table that is drawn again as time passes, with the last news below it; undefined where there is no terminal. */
function openFrames({ redraw }: Output, now: () => number): Screen | undefined {
  if (redraw === undefined) return undefined;
  let view: RolloutView | undefined;
  let last = "";
  const draw = (): void => {
    if (view !== undefined) redraw([...listRolloutLines(view, now()), `last: ${last}`]);
  };
  const timer = setInterval(draw, 1000);
  return {
    show: (next) => {
      const news = newsOf(view, next).at(-1);
      if (news !== undefined) last = `${clock(now())} ${news}`;
      view = next;
      draw();
    },
    close: () => clearInterval(timer),
  };
}

const unansweredMax = 60;
const pauseMs = 1000;

/** The view now and after each change, without end. */
async function* viewsOf(
  client: Client,
  id: number,
  wait: Context["wait"],
): AsyncGenerator<RolloutView> {
  let seen: string | undefined;
  for (let unanswered = 0; ; await wait(pauseMs))
    try {
      for await (const event of client.events("GET /v1/rollouts/:id", { params: { id } }, seen)) {
        seen = event.id;
        yield viewOf(event.data);
      }
      unanswered = 0;
    } catch (error) {
      unanswered += 1;
      if (!(error instanceof Unreachable) || unanswered === unansweredMax) throw error;
    }
}

function viewOf(data: string): RolloutView {
  const parsed = RolloutView.safeParse(JSON.parse(data));
  if (parsed.success) return parsed.data;
  throw new Failure("the rollout's events are not ones this version knows");
}
