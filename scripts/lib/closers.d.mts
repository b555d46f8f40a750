export function onClose(close: () => unknown): () => Promise<void>;
export function closeAll(): Promise<void>;
