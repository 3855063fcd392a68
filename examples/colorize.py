"""The main job in Python: one sketch, two references, and the interactive form."""

from pathlib import Path

from irodori import Colorizer

here = Path(__file__).parent
out = Path("colored")
out.mkdir(exist_ok=True)

colorizer = Colorizer.from_pretrained("irodori-base")

# Everything in one call; paths, PIL images and numpy arrays are accepted.
sketch = sorted((here / "sketches").glob("*.png"))[0]
result = colorizer(sketch, here / "references" / sketch.name, seed=0)
result.save(out / "one.png")
result.colors_only.save(out / "one-colors.png")

# The same in steps: the sketch is encoded once, each reference once.
colorizer.set_sketch(sketch)
for reference in sorted((here / "references").glob("*.png"))[:3]:
    colorizer.set_reference(reference)
    colorizer.run().save(out / f"{sketch.stem}-after-{reference.stem}.png")

# Where did the colors come from?  (reference number, x, y, share of the attention)
print(colorizer.run().correspondence.where(384, 300))
