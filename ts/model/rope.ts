/** Rotary embeddings as config.json describes them, in the old spelling, the oldest and the new one. */
import type { NativeModelShape } from '../native/contract';
import type { ConfigFields } from './config-fields';

export type RopeFields = Pick<
  NativeModelShape,
  'ropeKind' | 'ropeTheta' | 'ropeFactor' | 'ropeLowFreqFactor' | 'ropeHighFreqFactor' | 'ropeOriginalLength'
>;

/** New: `rope_parameters` holds everything. Old: `rope_theta` at the top, `rope_scaling` null or an object. */
export function readRope(config: ConfigFields): RopeFields {
  const parameters = config.object('rope_parameters');
  const scaling = parameters ?? config.object('rope_scaling');
  const theta = parameters?.has('rope_theta') ? parameters : config;
  const rope: RopeFields = {
    ropeKind: 'default',
    ropeTheta: theta.positive('rope_theta', 10000),
    ropeFactor: 1,
    ropeLowFreqFactor: 1,
    ropeHighFreqFactor: 4,
    ropeOriginalLength: 0,
  };
  for (const fields of [config, scaling]) {
    const rotated = fields?.get('partial_rotary_factor') ?? 1;
    if (rotated !== 1)
      throw fields!.unsupportedField('partial_rotary_factor', rotated, 'heads are rotated whole');
  }
  if (scaling === undefined) return rope;

  const typeField = scaling.has('rope_type') ? 'rope_type' : 'type';
  const type = scaling.string(typeField) ?? 'default';
  if (type === 'default') return rope;
  if (type !== 'linear' && type !== 'llama3') {
    throw scaling.unsupportedField(typeField, type, "supported are 'default', 'linear' and 'llama3'");
  }
  rope.ropeKind = type;
  rope.ropeFactor = scaling.positive('factor');
  if (type === 'llama3') {
    rope.ropeLowFreqFactor = scaling.positive('low_freq_factor');
    rope.ropeHighFreqFactor = scaling.positive('high_freq_factor');
    rope.ropeOriginalLength = scaling.integer('original_max_position_embeddings');
    if (rope.ropeHighFreqFactor <= rope.ropeLowFreqFactor) {
      throw scaling.malformedField('high_freq_factor', 'a number above low_freq_factor');
    }
  }
  return rope;
}
