// Loaded before the program by `node --require`: gives the process a wrong clock for a while. TORTURE_CLOCK is a list of
// { from, to, shiftMs }: between two moments, in milliseconds since the epoch, the machine's time is off by so much. What
// counts time from the start of the process goes on as ever, as it does where a clock is set.
const jumps = JSON.parse(process.env.TORTURE_CLOCK ?? '[]')
const RealDate = Date

function now() {
  const time = RealDate.now()
  return time + jumps.reduce((sum, { from, to, shiftMs }) => (time >= from && time < to ? sum + shiftMs : sum), 0)
}

// What the process takes for the time of its start is what the clock said then.
const timeOrigin = performance.timeOrigin + now() - RealDate.now()
Object.defineProperty(performance, 'timeOrigin', { value: timeOrigin })

globalThis.Date = new Proxy(RealDate, {
  construct: (target, args, newTarget) => Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget),
  apply: () => new RealDate(now()).toString(),
  get: (target, name) => (name === 'now' ? now : Reflect.get(target, name)),
})
