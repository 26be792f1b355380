/** What a container uses, from the engine's one-shot statistics: one read of its cgroup, no second wait. */
import type Docker from 'dockerode'
import type { ContainerUsage } from '../ports/containers.ts'

/** Memory as `docker stats` has it: without what the kernel would drop first. */
export function toUsage(stats: Docker.ContainerStats): ContainerUsage | undefined {
  const { usage, stats: kinds } = stats.memory_stats
  const cpuNanos = stats.cpu_stats.cpu_usage.total_usage
  // An engine answers without them for a container that has just ended.
  if (typeof usage !== 'number' || typeof cpuNanos !== 'number') return undefined
  const { total_inactive_file: ofVersion1, inactive_file: ofVersion2 } = (kinds ?? {}) as {
    total_inactive_file?: number
    inactive_file?: number
  }
  const inactive = ofVersion1 ?? ofVersion2 ?? 0
  return { memoryBytes: Math.max(0, usage - inactive), cpuMs: cpuNanos / 1e6 }
}
