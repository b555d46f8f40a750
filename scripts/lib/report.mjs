const counts = { passed: 0, failed: 0, skipped: 0 };
const missing = [];
const requireAll = process.env.NEXUS_TEST_REQUIRE === 'all';

/** Adds to the last line. With NEXUS_TEST_REQUIRE=all whatever is skipped has failed. */
export function count({ passed = 0, failed = 0, skipped = 0 }) {
  counts.passed += passed;
  counts.failed += failed + (requireAll ? skipped : 0);
  counts.skipped += requireAll ? 0 : skipped;
}

/** Something that could not run here, e.g. `skip('team engines', 'no Redis found (apt-get install redis-server)')`. */
export function skip(what, why) {
  missing.push(`${requireAll ? 'FAILED, for it was skipped' : 'skipped'}: ${what}: ${why}`);
  count({ skipped: 1 });
}

/** Runs one lane and prints its line; `work` answers true, false or counts, and throws when it cannot even try. */
export async function lane(name, work) {
  const started = Date.now();
  let result;
  try {
    result = await work();
  } catch (error) {
    console.log(error instanceof Error ? error.message : String(error));
    result = false;
  }
  const numbers = typeof result === 'boolean' ? { passed: Number(result), failed: Number(!result) } : result;
  count(numbers);
  console.log(`${numbers.failed ? 'FAILED' : 'ok    '} ${name.padEnd(24)} ${((Date.now() - started) / 1000).toFixed(1)} s`);
}

/** Prints what was skipped and the last line; answers the exit code. */
export function finish() {
  if (missing.length > 0) console.log(missing.join('\n'));
  console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  return counts.failed > 0 ? 1 : 0;
}
