const closers = new Set();

/** Registers what must end with this process. Answers the function that ends it now; each runs once. */
export function onClose(close) {
  const once = async () => {
    if (!closers.delete(once)) return;
    await close();
  };
  closers.add(once);
  return once;
}

/** Ends everything registered, the newest first. */
export async function closeAll() {
  for (const close of [...closers].reverse()) await close();
}

const codes = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 };
for (const [signal, code] of Object.entries(codes)) {
  process.on(signal, async () => {
    setTimeout(() => process.exit(code), 8000).unref();
    await closeAll();
    process.exit(code);
  });
}
