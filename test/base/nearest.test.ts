import t from 'tap'
import { nearest } from '../../src/base/nearest.ts'

const keys = ['Description', 'Restart', 'RestartSec', 'After', 'MachineOf']

t.test('a slip is seen through, another word is not', (t) => {
  t.equal(nearest('Descripton', keys), 'Description')
  t.equal(nearest('Restrt', keys), 'Restart')
  t.equal(nearest('restartsec', keys), 'RestartSec')
  t.equal(nearest('MachienOf', keys), 'MachineOf')
  t.equal(nearest('Imgae', ['Image', 'Notify']), 'Image', 'two letters swapped are one slip')
  t.equal(nearest('Type', keys), undefined)
  t.equal(nearest('', keys), undefined)
  t.equal(nearest('Of', keys), undefined, 'short words are soon like others')
  t.end()
})
