import type { Command } from 'commander';
import { examples, type Runner } from './command.ts';
import { addFeatureEditing } from './feature-edit.ts';
import { addFeatureReading } from './feature-read.ts';
import { addFeatureSuggesting } from './feature-suggest.ts';
import { addFeatureWork } from './feature-work.ts';

export function addFeatureCommands(program: Command, run: Runner): void {
  const feature = examples(
    program.command('feature').description('Specs with the paths they touch: create, pick, finish'),
    'nexus feature create --from spec.md --ready',
    'nexus feature available',
    'nexus feature pick login-form',
    'nexus feature done',
  );
  addFeatureEditing(feature, run);
  addFeatureReading(feature, run);
  addFeatureWork(feature, run);
  addFeatureSuggesting(feature, run);
}
