/** Frame kinds. A number is never given another meaning. */
export const frameKind = {
  hello: 1,
  ping: 2,
  pong: 3,
  /** One consensus message. */
  raft: 10,
  snapshotBegin: 11,
  snapshotChunk: 12,
  snapshotEnd: 13,
  request: 20,
  answer: 21,
  failure: 22,
  item: 23,
  end: 24,
  cancel: 25,
  credit: 26,
} as const
