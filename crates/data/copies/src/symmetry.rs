use std::fmt;

use serde::{Deserialize, Serialize};

/// The turns and reflections of a square: the eight elements of its symmetry group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Symmetry {
    /// Unchanged.
    Identity,
    /// Turned by 90° clockwise.
    Rotated90,
    /// Turned by 180°.
    Rotated180,
    /// Turned by 270° clockwise.
    Rotated270,
    /// Left and right exchanged.
    MirroredLeftRight,
    /// Top and bottom exchanged.
    MirroredTopBottom,
    /// Rows and columns exchanged: mirrored at the diagonal from the top left.
    Transposed,
    /// Mirrored at the diagonal from the top right.
    AntiTransposed,
}

/// A point's or a direction's x (to the right) and y (down) with the origin in the middle, mapped
/// to where it goes.
type Matrix = [[i8; 2]; 2];

impl Symmetry {
    /// All of them, the identity first.
    pub const ALL: [Self; 8] = [
        Self::Identity,
        Self::Rotated90,
        Self::Rotated180,
        Self::Rotated270,
        Self::MirroredLeftRight,
        Self::MirroredTopBottom,
        Self::Transposed,
        Self::AntiTransposed,
    ];

    fn matrix(self) -> Matrix {
        match self {
            Self::Identity => [[1, 0], [0, 1]],
            Self::Rotated90 => [[0, -1], [1, 0]],
            Self::Rotated180 => [[-1, 0], [0, -1]],
            Self::Rotated270 => [[0, 1], [-1, 0]],
            Self::MirroredLeftRight => [[-1, 0], [0, 1]],
            Self::MirroredTopBottom => [[1, 0], [0, -1]],
            Self::Transposed => [[0, 1], [1, 0]],
            Self::AntiTransposed => [[0, -1], [-1, 0]],
        }
    }

    /// The symmetry that undoes this one.
    #[must_use]
    pub fn inverse(self) -> Self {
        match self {
            Self::Rotated90 => Self::Rotated270,
            Self::Rotated270 => Self::Rotated90,
            other => other,
        }
    }

    /// This one first, then `next`.
    #[must_use]
    pub fn then(self, next: Self) -> Self {
        let (first, second) = (self.matrix(), next.matrix());
        let product = [0, 1].map(|row| {
            [0, 1]
                .map(|column| second[row][0] * first[0][column] + second[row][1] * first[1][column])
        });
        Self::ALL
            .into_iter()
            .find(|symmetry| symmetry.matrix() == product)
            .expect("the symmetries of a square are a group")
    }

    /// Whether width and height are exchanged.
    pub fn swaps_sides(self) -> bool {
        self.matrix()[0][0] == 0
    }

    /// The signs of x and y, after they were exchanged if they are.
    pub(crate) fn signs(self) -> [i8; 2] {
        self.matrix().map(|[of_x, of_y]| of_x + of_y)
    }

    /// The image of a point, with the origin in the middle, x to the right and y down.
    pub(crate) fn map(self, [x, y]: [f32; 2]) -> [f32; 2] {
        self.matrix().map(|[of_x, of_y]| f32::from(of_x) * x + f32::from(of_y) * y)
    }

    /// Rows of `side` values, turned. Every cell moves to `map` of its position, so the value at a
    /// position comes from `inverse().map` of it.
    pub(crate) fn turn<T: Copy>(self, values: &[T], side: usize) -> Vec<T> {
        let last = side - 1;
        let [[x_of_x, x_of_y], [y_of_x, y_of_y]] = self.inverse().matrix();
        // along one axis only: `sign · at`, counted from the other end where the sign is negative
        let source = |of_x: i8, of_y: i8, x: usize, y: usize| match (of_x, of_y) {
            (1, _) => x,
            (-1, _) => last - x,
            (_, 1) => y,
            _ => last - y,
        };
        (0..side * side)
            .map(|cell| {
                let (x, y) = (cell % side, cell / side);
                values[source(y_of_x, y_of_y, x, y) * side + source(x_of_x, x_of_y, x, y)]
            })
            .collect()
    }
}

impl fmt::Display for Symmetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identity => "not turned",
            Self::Rotated90 => "turned by 90° clockwise",
            Self::Rotated180 => "turned by 180°",
            Self::Rotated270 => "turned by 90° anticlockwise",
            Self::MirroredLeftRight => "mirrored left to right",
            Self::MirroredTopBottom => "mirrored top to bottom",
            Self::Transposed => "mirrored, then turned by 90° anticlockwise",
            Self::AntiTransposed => "mirrored, then turned by 90° clockwise",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turned(symmetry: Symmetry) -> [u8; 4] {
        symmetry.turn(&[1, 2, 3, 4], 2).try_into().unwrap()
    }

    #[test]
    fn each_symmetry_moves_the_corners_as_its_name_says() {
        // 1 2
        // 3 4
        assert_eq!(turned(Symmetry::Identity), [1, 2, 3, 4]);
        assert_eq!(turned(Symmetry::Rotated90), [3, 1, 4, 2]);
        assert_eq!(turned(Symmetry::Rotated180), [4, 3, 2, 1]);
        assert_eq!(turned(Symmetry::Rotated270), [2, 4, 1, 3]);
        assert_eq!(turned(Symmetry::MirroredLeftRight), [2, 1, 4, 3]);
        assert_eq!(turned(Symmetry::MirroredTopBottom), [3, 4, 1, 2]);
        assert_eq!(turned(Symmetry::Transposed), [1, 3, 2, 4]);
        assert_eq!(turned(Symmetry::AntiTransposed), [4, 2, 3, 1]);
    }

    #[test]
    fn words_of_the_diagonals_are_true() {
        let mirrored = Symmetry::MirroredLeftRight;
        assert_eq!(mirrored.then(Symmetry::Rotated270), Symmetry::Transposed);
        assert_eq!(mirrored.then(Symmetry::Rotated90), Symmetry::AntiTransposed);
    }

    #[test]
    fn composing_is_turning_twice_and_inverses_undo() {
        let values: Vec<usize> = (0..9).collect();
        for first in Symmetry::ALL {
            assert_eq!(first.then(first.inverse()), Symmetry::Identity);
            for second in Symmetry::ALL {
                let twice = second.turn(&first.turn(&values, 3), 3);
                assert_eq!(first.then(second).turn(&values, 3), twice, "{first:?} {second:?}");
            }
        }
    }

    #[test]
    fn points_move_as_pixels_do() {
        // the pixel at column 2, row 0 of 3 × 3 is the point (1, −1)
        for symmetry in Symmetry::ALL {
            let turned = symmetry.turn(&[0, 0, 1, 0, 0, 0, 0, 0, 0], 3);
            let [x, y] = symmetry.map([1.0, -1.0]);
            assert_eq!(turned[(y + 1.0) as usize * 3 + (x + 1.0) as usize], 1, "{symmetry:?}");
        }
    }
}
