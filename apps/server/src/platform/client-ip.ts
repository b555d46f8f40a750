/** Proxies append on the right: with so many trusted ones, that many from the right is the client. */
export function clientIp(peer: string, forwarded: string | undefined, trustedProxies: number): string {
  if (trustedProxies === 0 || !forwarded) return peer;
  const hops = forwarded.split(',').map((hop) => hop.trim());
  return hops[Math.max(0, hops.length - trustedProxies)] ?? peer;
}
