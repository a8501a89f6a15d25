/** Server-sent events (WHATWG HTML §9.2) as far as the control plane sends them: an id and one line of data each. */

export interface ServerEvent {
  readonly id: string;
  readonly data: string;
}

/** Longer than any event: a view of a rollout names a hundred hosts at most. In characters. */
const eventMax = 1024 * 1024;

/**
 * Events of a stream until it ends, is cut, or brings one longer than any event is: whoever asks again learns why.
 * Comments and other fields are passed over.
 */
export async function* eventsOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent> {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  try {
    for (;;) {
      const read = await reader.read().catch(() => ({ done: true, value: undefined }));
      if (read.done) return;
      text += read.value;
      const whole = text.split("\n\n");
      text = whole.pop() ?? "";
      if (text.length > eventMax) return;
      for (const lines of whole) {
        const id = field(lines, "id");
        const data = field(lines, "data");
        if (id !== undefined && data !== undefined) yield { id, data };
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

const field = (lines: string, name: string): string | undefined =>
  lines
    .split("\n")
    .find((line) => line.startsWith(`${name}:`))
    ?.slice(name.length + 1)
    .trim();
