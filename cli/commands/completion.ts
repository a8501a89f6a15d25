/** `portcullis completion SHELL`: what a shell needs to complete this command line. */
import { formatCompletions, shells } from "#args/completion.ts";
import { exitCodes } from "#args/exits.ts";
import { type Command, command } from "#cli/run/command.ts";

/** @param commands all others */
export const completion = (commands: readonly Command[]): Command =>
  command(
    {
      name: "completion",
      summary: "print completions for a shell",
      about: [
        "Prints a script that completes commands, options and their values; needs no control plane.",
      ],
      positionals: {
        shell: {
          value: "SHELL",
          choices: shells,
          required: true,
          ask: "which shell? bash, zsh or fish",
        },
      },
      options: {},
      examples: ["completion bash > /etc/bash_completion.d/portcullis"],
    },
    async ({ positionals }, { output }) => {
      output.line(formatCompletions(positionals.shell, { name: "portcullis", commands }).trimEnd());
      return Promise.resolve(exitCodes.ok);
    },
  );
