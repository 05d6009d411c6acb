//! Connected pieces of a mask.

use super::region::Region;

/// Pixels that touch each other, by their edges or corners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Component {
    /// Positions in the picture, row by row, in no order.
    pub(super) pixels: Vec<usize>,
    pub(super) left: usize,
    pub(super) top: usize,
    /// Beyond the last column.
    pub(super) right: usize,
    /// Beyond the last row.
    pub(super) bottom: usize,
}

impl Component {
    /// The 8-connected pieces of a mask with rows of `width`, in the order of their first pixels.
    pub(super) fn all(mut mask: Vec<bool>, width: usize) -> Vec<Self> {
        let height = mask.len() / width;
        let mut components = Vec::new();
        for start in 0..mask.len() {
            if !std::mem::take(&mut mask[start]) {
                continue;
            }
            let (x, y) = (start % width, start / width);
            let mut found =
                Self { pixels: vec![start], left: x, top: y, right: x + 1, bottom: y + 1 };
            let mut next = 0;
            while let Some(&pixel) = found.pixels.get(next) {
                next += 1;
                let (x, y) = (pixel % width, pixel / width);
                found.left = found.left.min(x);
                found.right = found.right.max(x + 1);
                found.bottom = found.bottom.max(y + 1);
                for row in y.saturating_sub(1)..=(y + 1).min(height - 1) {
                    for column in x.saturating_sub(1)..=(x + 1).min(width - 1) {
                        let neighbour = row * width + column;
                        if std::mem::take(&mut mask[neighbour]) {
                            found.pixels.push(neighbour);
                        }
                    }
                }
            }
            components.push(found);
        }
        components
    }

    pub(super) fn width(&self) -> usize {
        self.right - self.left
    }

    pub(super) fn height(&self) -> usize {
        self.bottom - self.top
    }

    /// Length of the diagonal of the rectangle around it.
    pub(super) fn diagonal(&self) -> f64 {
        (self.width() as f64).hypot(self.height() as f64)
    }

    pub(super) fn region(&self) -> Region {
        Region {
            left: self.left as u32,
            top: self.top as u32,
            width: self.width() as u32,
            height: self.height() as u32,
        }
    }

    /// The rectangle around both.
    pub(super) fn united(regions: &[&Self]) -> Option<Region> {
        let left = regions.iter().map(|it| it.left).min()?;
        let top = regions.iter().map(|it| it.top).min()?;
        let right = regions.iter().map(|it| it.right).max()?;
        let bottom = regions.iter().map(|it| it.bottom).max()?;
        Some(Region {
            left: left as u32,
            top: top as u32,
            width: (right - left) as u32,
            height: (bottom - top) as u32,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corners_connect_and_gaps_divide() {
        let drawn = [
            "#....#", //
            ".#...#", "#.....", "....##",
        ];
        let mask = drawn.concat().chars().map(|it| it == '#').collect();
        let found = Component::all(mask, 6);
        let regions: Vec<_> = found
            .iter()
            .map(|it| (it.left, it.top, it.right, it.bottom, it.pixels.len()))
            .collect();
        assert_eq!(regions, [(0, 0, 2, 3, 3), (5, 0, 6, 2, 2), (4, 3, 6, 4, 2)]);
        let both = Component::united(&[&found[0], &found[1]]).unwrap();
        assert_eq!(both, Region { left: 0, top: 0, width: 6, height: 3 });
    }
}
