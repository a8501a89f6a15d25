/**
 * What the agent's one file is made of, by esbuild's metafile: its own rooms and those that both programs share, and no
 * module of the control plane's, of an ORM or of a server. A host should carry nothing that only the control plane needs.
 */
import { build, type Metafile } from "esbuild";
import { programOptions } from "../../build.mjs";

/** What may go into a host's agent. */
const rooms = ["agent/", "args/", "core/", "schema/", "tls/", "node_modules/"];
const packagesOfOthers = ["drizzle-orm", "hono", "@hono/node-server"];
/** Modules of shared rooms that only the control plane and its clients use. */
const planeOnly = ["schema/api/", "schema/problems.ts", "core/compile/", "core/rollout/"];

export interface AgentBundle {
  readonly bytes: number;
  readonly foreign: readonly string[];
}

export async function readAgentBundle(entry = "agent/main.ts"): Promise<AgentBundle> {
  const { metafile } = await build({
    ...programOptions(entry),
    write: false,
    metafile: true,
    outfile: "agent.mjs",
  });
  return { bytes: bytesOf(metafile), foreign: foreignIn(metafile) };
}

const bytesOf = ({ outputs }: Metafile): number =>
  Object.values(outputs).reduce((sum, { bytes }) => sum + bytes, 0);

/** Sorted paths, relative to the repository. Only inputs that left bytes in the file count. */
export function foreignIn({ outputs }: Metafile): readonly string[] {
  const kept = Object.values(outputs).flatMap(({ inputs }) =>
    Object.entries(inputs).flatMap(([path, { bytesInOutput }]) =>
      bytesInOutput > 0 ? [path] : [],
    ),
  );
  const isForeign = (path: string): boolean =>
    !rooms.some((room) => path.startsWith(room)) ||
    planeOnly.some((room) => path.startsWith(room)) ||
    packagesOfOthers.some((name) => path.startsWith(`node_modules/${name}/`));
  return kept.filter(isForeign).toSorted();
}
