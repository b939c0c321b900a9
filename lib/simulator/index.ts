export type { SimulatorCredentials } from './authentication'
export {
  type Action,
  type Fault,
  type FaultKind,
  type FaultPlan,
  type FaultRate,
  type FaultRequest,
  faultKinds,
} from './faults'
export { generateSchool, type SchoolPlan } from './generation'
export { mostInAnySlidingSecond } from './limiter'
export { type ClassHours, memberRole, type SimulatedRecord } from './member-record'
export { generateMembers, type MembersOptions } from './members'
export { type RequestLogEntry, requestIdOf } from './request-log'
export { type RoomFate, type RoomFigures, roomStatus, type SimulatedRoom, statusOf } from './room'
export { readScenario, type Scenario, ScenarioError, schoolFromScenario, simulatorOptions } from './scenario'
export { defaultSdkAppId, type RoomDescription, School, type SchoolOptions } from './school'
export { schoolDay } from './school-day'
export {
  documentedLimits,
  type Simulator,
  type SimulatorOptions,
  simulatorCredentials,
  startSimulator,
} from './server'
export { type SignedRequest, signTc3 } from './signature'
