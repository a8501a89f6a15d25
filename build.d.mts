import type { BuildOptions } from "esbuild";

export function programOptions(entry: string): BuildOptions;
export function buildProgram(entry: string, out: string): Promise<void>;
