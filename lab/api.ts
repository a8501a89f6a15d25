/** The lab as an operator: JSON over the control plane's public HTTP API, with the admin token and nothing else. */
import * as z from "zod";

export interface Api {
  get<T>(path: string, as: z.ZodType<T>): Promise<T>;
  send<T>(method: "PUT" | "POST", path: string, body: unknown, as: z.ZodType<T>): Promise<T>;
  /** Exact bytes of a public document, or undefined when it is not there yet. */
  bytes(path: string): Promise<Uint8Array | undefined>;
}

const Problem = z.object({ code: z.string(), title: z.string() }).partial();

export function openApi(url: string, token: string): Api {
  const call = async (method: string, path: string, body?: unknown): Promise<Response> => {
    const response = await fetch(new URL(path, url), {
      method,
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (response.ok || response.status === 404) return response;
    throw new Error(`${method} ${path}: ${response.status} ${await problemOf(response)}`);
  };
  const parsed = async <T>(method: string, path: string, as: z.ZodType<T>, body?: unknown): Promise<T> => {
    const response = await call(method, path, body);
    if (response.status === 404) throw new Error(`${method} ${path}: 404 ${await problemOf(response)}`);
    return as.parse(await response.json());
  };
  return {
    get: (path, as) => parsed("GET", path, as),
    send: (method, path, body, as) => parsed(method, path, as, body),
    bytes: async (path) => {
      const response = await fetch(new URL(path, url));
      return response.ok ? new Uint8Array(await response.arrayBuffer()) : undefined;
    },
  };
}

async function problemOf(response: Response): Promise<string> {
  const body: unknown = await response.json().catch(() => undefined);
  const problem = Problem.safeParse(body);
  return problem.success ? `${problem.data.code ?? ""} ${problem.data.title ?? ""}`.trim() : "";
}
