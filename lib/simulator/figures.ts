import type { SimulatedRecord } from './member-record'
import type { RoomFigures } from './room'

/** The figures that these records imply: who came, the most who were there at once, messages sent, times on the mic. */
export function figuresOf(members: readonly SimulatedRecord[]): RoomFigures {
  const joins: number[] = []
  const quits: number[] = []
  const figures = { PeakMemberNumber: 0, MemberNumber: 0, MessageCount: 0, MicCount: 0 }
  for (const member of members) {
    figures.MessageCount += member.PerMemberMessageCount ?? 0
    figures.MicCount += member.PerMemberMicCount ?? 0
    if (!member.FirstJoinTimestamp) continue
    figures.MemberNumber += 1
    joins.push(member.FirstJoinTimestamp)
    quits.push(member.LastQuitTimestamp ?? member.FirstJoinTimestamp)
  }
  figures.PeakMemberNumber = peak(Float64Array.from(joins).sort(), Float64Array.from(quits).sort())
  return figures
}

function peak(joins: Float64Array, quits: Float64Array): number {
  let gone = 0
  let most = 0
  joins.forEach((joinedAt, index) => {
    while ((quits[gone] ?? Number.POSITIVE_INFINITY) < joinedAt) gone += 1
    most = Math.max(most, index + 1 - gone)
  })
  return most
}
