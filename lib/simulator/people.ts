import { randomFrom } from './random'

/** Someone who attends classes: always the same id and name, whichever class they are met in. */
export interface Person {
  userId: string
  name: string
}

/** The student with this number in the school's roll; invented, and the same in every school. */
export function student(number: number): Person {
  return { userId: studentId(number), name: studentName(number) }
}

/** The member of staff with this user id; the name follows from the id. */
export function staff(userId: string): Person {
  const random = randomFrom('staff', userId)
  return { userId, name: random.chance(0.5) ? chineseName(random) : latinName(random) }
}

/** A user id for a member of staff. */
export function staffId(kind: 'teacher' | 'assistant' | 'supervisor', number: number): string {
  return `${kind}-${String(number).padStart(3, '0')}`
}

type Draw = ReturnType<typeof randomFrom>

/** Apps name their users in many ways; two ids that differ by case alone are two people. */
function studentId(number: number): string {
  const half = number >> 4
  switch (number & 15) {
    case 11:
      return `学生-${half}`
    case 12:
      return `o'hara "${half}"`
    case 13:
      return `school\\pupil.${half}`
    case 14:
      return `Pupil_${half}`
    case 15:
      return `pupil_${half}`
    default:
      return `stu-${String(number).padStart(6, '0')}`
  }
}

function studentName(number: number): string {
  const random = randomFrom('student', number)
  const draw = random.next()
  if (draw < 0.45) return chineseName(random)
  if (draw < 0.7) return latinName(random)
  if (draw < 0.78) return `${random.pick(arabic)} ${random.pick(arabic)}`
  if (draw < 0.86) return `${random.pick(cyrillicGiven)} ${random.pick(cyrillicFamily)}`
  if (draw < 0.93) return `${random.pick(latinGiven)} ${random.pick(emoji)}`
  if (draw < 0.97) return random.pick(awkward)
  return ''
}

function chineseName(random: Draw): string {
  return random.pick(chineseFamily) + random.pick(chineseGiven) + (random.chance(0.5) ? random.pick(chineseGiven) : '')
}

function latinName(random: Draw): string {
  return `${random.pick(latinGiven)} ${random.pick(latinFamily)}`
}

const chineseFamily = [...'林苏江沈顾叶陆夏温祝岑简']
const chineseGiven = [...'晓晴雨墨星河远舟知秋一诺青禾']
const latinGiven = ['Zoë', 'Åsa', 'José', 'Łucja', 'Chloé', 'Søren', 'Beyza', 'Nỏ', 'Ada', 'Ilse', 'Tomás', 'Wren']
const latinFamily = ['Brightwater', 'Núñez', 'Faßbinder', 'Østergård', 'Thornapple', 'Çelik', 'Dvořák', 'Marlowe-Finch']
const arabic = ['نور', 'ليلى', 'سامي', 'ياسمين', 'كريم', 'هدى']
const cyrillicGiven = ['Мила', 'Тимур', 'Злата', 'Егор', 'Їлля']
const cyrillicFamily = ['Светлова', 'Озерный', 'Звёздкина', 'Гайовий']
const emoji = ['🦊', '👩‍🏫', '🏳️‍🌈', '🎓📚', '👍🏽']
const awkward = [
  'Robert "Bobby" O\'Tables',
  'C:\\class\\new\\table',
  "'; drop table rooms; --",
  '<b>bold</b> & co',
  '  spaces  ',
  'tab\there\nand a line',
  '{"json": [1, 2]}',
  '\\u0041 is not A',
  'null',
  'زويا ‏(right to left)',
  'e\u0301 combining',
  '𠮷野 𝒲',
]
