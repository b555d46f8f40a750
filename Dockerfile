# The manifests alone, so that a change of the sources does not install everything again.
FROM oven/bun:1.4.5 AS manifests
WORKDIR /all
COPY . .
RUN mkdir /manifests \
 && find . -path '*/node_modules' -prune -o \( -name package.json -o -name bun.lock -o -name bunfig.toml -o -name '*.patch' \) -exec cp --parents {} /manifests/ \;

FROM oven/bun:1.4.5 AS packages
WORKDIR /app
COPY --from=manifests /manifests ./
RUN bun install --frozen-lockfile --production

FROM oven/bun:1.4.5
LABEL org.opencontainers.image.title="Nexus" org.opencontainers.image.licenses="MIT"
WORKDIR /app
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000 NEXUS_DATA_DIR=/data
COPY --from=packages /app ./
COPY packages ./packages
COPY apps/server ./apps/server
COPY drizzle ./drizzle
RUN mkdir /data && chown bun:bun /data
VOLUME /data
USER bun
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["bun", "-e", "const answer = await fetch(`http://127.0.0.1:${process.env.PORT}/api/health/ready`); process.exit(answer.ok ? 0 : 1)"]
CMD ["bun", "apps/server/src/main.ts"]
