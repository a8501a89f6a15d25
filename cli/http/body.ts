/** Bodies of answers, of which no more is read than a control plane has reason to send. */
import { Failure } from "#cli/text/output.ts";

/** Bytes. The largest bundle and everything that a store gives at once fit in. */
const answerBytesMax = 64 * 1024 * 1024;

/** The body as text; empty when the connection breaks. @throws Failure when it is larger than any answer */
export async function readBodyText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const reader = (response.body as ReadableStream<Uint8Array> | null)?.getReader();
  for (;;) {
    const read = await reader?.read().catch(() => "broken" as const);
    if (read === "broken") return "";
    if (read === undefined || read.done) return Buffer.concat(chunks).toString("utf8");
    bytes += read.value.length;
    if (bytes > answerBytesMax) {
      await reader?.cancel().catch(() => undefined);
      throw new Failure(
        `the answer is larger than ${answerBytesMax} bytes; is it a control plane?`,
      );
    }
    chunks.push(read.value);
  }
}
