/** One process at a time, by a lock that the kernel lets go of with whoever holds it. */
import { spawn } from 'node:child_process'
import { say } from './project.mjs'

/** Whoever waits for longer is told so. */
const patienceMs = 500

/**
 * Runs `work` while no other process does so with a lock on the same `directory`. Where there is no
 * flock(1), nobody is kept out.
 */
export async function oneAtATime(directory, waiting, work) {
  const release = await take(directory, waiting)
  try {
    return await work()
  } finally {
    release()
  }
}

function take(directory, waiting) {
  return new Promise((resolve) => {
    // It holds the lock until its input ends, which it does with this process, too.
    const script = 'echo taken; exec cat >/dev/null'
    const holder = spawn('flock', [directory, 'sh', '-c', script], {
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    const timer = setTimeout(() => say(waiting), patienceMs)
    const finish = () => {
      clearTimeout(timer)
      resolve(() => holder.stdin.end())
    }
    holder.on('error', finish)
    holder.stdin.on('error', () => undefined)
    holder.stdout.on('data', finish)
    holder.on('close', finish)
  })
}
