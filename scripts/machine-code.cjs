'use strict';
// What the assembler made of the order of memory accesses around a kernel's wait for its inputs (kernels/ptx.h): it moves
// what it takes for constant. Read from the machine code, as cuobjdump of the CUDA toolkit prints it.
const { spawnSync } = require('node:child_process');
const path = require('node:path');

/** Kernels that load weights in front of the wait, and how many loads have to stand there at least. */
const early = [
  { kernel: /linear_kernel/, loads: 16 },
  { kernel: /rms_norm_kernel/, loads: 0 },
];
/** Kernels that load what the compiler has laid into memory for them. */
const withTables = /rotary_kernel/;

/** Architectures with programmatic dependent launch. */
const architectures = ['90a', '100', '120'];

const access = /^(?:LDG|LDGSTS|STG|ATOMG|RED|LD|ST|ATOM)(?:\.|$)/;

/** { name, inFront: opcodes of global memory in front of the wait, behind, waits } of every kernel. */
function parse(text) {
  const kernels = [];
  let current;
  for (const line of text.split('\n')) {
    const header = /Function : (\S+)/.exec(line);
    if (header) kernels.push((current = { name: header[1], inFront: [], behind: [], waits: 0 }));
    const instruction = /^\s+\/\*[0-9a-f]{4,}\*\/\s+(?:@!?U?P\w+ +)?(\S+)/.exec(line);
    if (!instruction || !current) continue;
    const opcode = instruction[1];
    if (opcode === 'ACQBULK') ++current.waits;
    else if (access.test(opcode)) (current.waits > 0 ? current.behind : current.inFront).push(opcode);
  }
  return kernels;
}

/** One line for each thing that is wrong with a kernel. */
function faults({ name, inFront, behind, waits }) {
  const found = [];
  const exception = early.find(({ kernel }) => kernel.test(name));
  const all = [...inFront, ...behind];
  if (all.length === 0) return found; // compiled for other architectures, or a probe
  if (waits === 0) return ['it never waits for its inputs'];
  const loads = inFront.filter((opcode) => opcode.startsWith('LDG.'));
  if (loads.length < inFront.length || (loads.length > 0 && !exception))
    found.push(`in front of its wait stands ${[...new Set(inFront)].join(', ')}`);
  if (exception && loads.length < exception.loads)
    found.push(`of its weights' first ${exception.loads} loads ${loads.length} stand in front of its wait`);
  if (!withTables.test(name) && all.some((opcode) => opcode.includes('CONSTANT')))
    found.push('it loads what the assembler takes for constant');
  return found;
}

/** cuobjdump beside nvcc, or of PATH; undefined when there is none. */
function findCuobjdump(nvcc) {
  const candidates = [process.env.CUOBJDUMP, path.join(path.dirname(nvcc), 'cuobjdump'), 'cuobjdump'];
  return candidates.filter(Boolean).find((program) => spawnSync(program, ['--version']).status === 0);
}

/** Checks the kernels of a library or cubin; returns how many kernels were read and what is wrong with them. */
function checkWaits(cuobjdump, file) {
  const result = { kernels: 0, faults: [] };
  for (const architecture of architectures) {
    const { status, stdout } = spawnSync(cuobjdump, ['-sass', '-arch', `sm_${architecture}`, file], {
      encoding: 'utf8',
      maxBuffer: 2 ** 30,
    });
    if (status !== 0) continue; // the file has nothing for it
    for (const kernel of parse(stdout)) {
      ++result.kernels;
      for (const fault of faults(kernel)) result.faults.push(`${kernel.name} (${architecture}): ${fault}`);
    }
  }
  return result;
}

module.exports = { checkWaits, findCuobjdump };
