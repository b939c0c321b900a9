import { ApiError } from '../api-error'
import type { SimulatedRoom } from '../room'
import type { School } from '../school'

/** @throws ApiError ResourceNotFound.Room for a room that is unknown, or that the API answers so for although it exists. */
export function findRoom(school: School, roomId: bigint): SimulatedRoom {
  const room = school.rooms.get(roomId)
  if (room === undefined || room.fate === 'missing') {
    throw new ApiError('ResourceNotFound.Room', 'The room does not exist.')
  }
  return room
}
