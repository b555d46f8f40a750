type Probe = () => Promise<void>;

/** What this server says of itself. Ready: it can take picks. Without the lease store it still can, degraded. */
export function createHealth({ database, leases, bus }: { database: Probe; leases: Probe; bus: Probe }) {
  let phase: 'starting' | 'serving' | 'draining' = 'starting';

  async function check() {
    const [db, store, messages] = await Promise.all([up(database), up(leases), up(bus)]);
    const checks = { database: db, leases: store, bus: messages };
    const status =
      phase !== 'serving'
        ? phase
        : db === 'down'
          ? ('unavailable' as const)
          : store === 'down' || messages === 'down'
            ? ('degraded' as const)
            : ('ok' as const);
    return { ready: phase === 'serving' && db === 'ok', body: { status, checks } };
  }

  return {
    check,
    phase: () => phase,
    serving: () => {
      phase = 'serving';
    },
    draining: () => {
      phase = 'draining';
    },
  };
}

/** A probe that hangs is an engine that is down. */
const up = (probe: Probe): Promise<'ok' | 'down'> =>
  Promise.race([
    probe().then(
      () => 'ok' as const,
      () => 'down' as const,
    ),
    new Promise<'down'>((resolve) => setTimeout(() => resolve('down'), 2000).unref()),
  ]);
