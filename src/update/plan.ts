import type { StandbyTree } from '#boot/slots.ts';
import type { VerifiedImage } from '#image/image.ts';

/** Where every file of the image will come from, as far as can be told before reading. Data only; see `ota plan`. */
export interface DeltaPlan {
  readonly image: VerifiedImage;
  readonly tree: StandbyTree;
}

/** A standby tree that holds exactly the image, every byte verified. */
export interface StagedTree {
  readonly image: VerifiedImage;
  readonly tree: StandbyTree;
}
