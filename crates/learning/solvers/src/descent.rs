//! Minimises a smooth convex function: L-BFGS with a preconditioner (Nocedal & Wright 2006,
//! "Numerical Optimization", algorithms 7.4 and 7.5), and a line search by bisection that ends at a
//! step of sufficient decrease and curvature (Lewis & Overton 2013, algorithm 2.6).

use std::collections::VecDeque;

/// Number of steps whose curvature is remembered.
const MEMORY: usize = 20;

/// A step must gain this share of the gain that the slope predicts.
const SUFFICIENT: f64 = 1e-4;
/// After a step the slope must be less than this share of the slope before.
const CURVATURE: f64 = 0.9;
/// Below this share, values of the function differ only by rounding.
const ROUNDING: f64 = 1e-14;
/// Halvings and doublings of one step. After this many nothing of it is left.
const TRIALS: usize = 60;

/// A function to be minimised.
pub(crate) trait Function {
    /// Its value and gradient.
    fn at(&self, place: &[f64]) -> (f64, Vec<f64>);
    /// Multiplies by an approximation of the inverse of its second derivative.
    fn precondition(&self, gradient: &mut [f64]);
    /// How far a point is from the minimum, by its gradient: at most 1 at the minimum.
    fn left(&self, place: &[f64], gradient: &[f64]) -> f64;
}

/// The end of the search.
#[derive(Debug)]
pub(crate) struct Minimum {
    pub(crate) place: Vec<f64>,
    pub(crate) steps: usize,
    /// The value of [`Function::left`]: above 1 if the minimum was not reached.
    pub(crate) left: f64,
}

struct Step {
    by: Vec<f64>,
    bent: Vec<f64>,
    inverse: f64,
}

struct State {
    place: Vec<f64>,
    value: f64,
    gradient: Vec<f64>,
}

/// Descends from `start` to the minimum, in at most this many steps.
pub(crate) fn minimise(function: &impl Function, start: Vec<f64>, steps: usize) -> Minimum {
    let (value, gradient) = function.at(&start);
    let mut state = State { place: start, value, gradient };
    let mut memory: VecDeque<Step> = VecDeque::with_capacity(MEMORY);
    for step in 0..=steps {
        let left = function.left(&state.place, &state.gradient);
        if left <= 1.0 || step == steps {
            return Minimum { place: state.place, steps: step, left };
        }
        let direction = direction(function, &state.gradient, &memory);
        let Some(next) = search(function, &state, &direction) else {
            // The memory may hold only rounding errors by now; without it there is one more
            // direction to try.
            if memory.is_empty() {
                return Minimum { place: state.place, steps: step, left };
            }
            memory.clear();
            continue;
        };
        let by = difference(&next.place, &state.place);
        let bent = difference(&next.gradient, &state.gradient);
        let curvature = dot(&by, &bent);
        if curvature > 0.0 {
            if memory.len() == MEMORY {
                memory.pop_front();
            }
            memory.push_back(Step { by, bent, inverse: 1.0 / curvature });
        }
        state = next;
    }
    unreachable!("the last turn of the loop returns")
}

/// The two loops of L-BFGS.
fn direction(function: &impl Function, gradient: &[f64], memory: &VecDeque<Step>) -> Vec<f64> {
    let mut direction: Vec<f64> = gradient.iter().map(|it| -it).collect();
    let mut shares = Vec::with_capacity(memory.len());
    for step in memory.iter().rev() {
        let share = step.inverse * dot(&step.by, &direction);
        add(&mut direction, -share, &step.bent);
        shares.push(share);
    }
    function.precondition(&mut direction);
    for (step, share) in memory.iter().zip(shares.iter().rev()) {
        let other = step.inverse * dot(&step.bent, &direction);
        add(&mut direction, share - other, &step.by);
    }
    direction
}

/// A step along a direction; none if no step gains anything.
fn search(function: &impl Function, from: &State, direction: &[f64]) -> Option<State> {
    let slope = dot(&from.gradient, direction);
    let rounding = ROUNDING * from.value.abs();
    let (mut low, mut high) = (0.0, f64::INFINITY);
    let mut length = 1.0;
    for _ in 0..TRIALS {
        let mut place = from.place.clone();
        add(&mut place, length, direction);
        let (value, gradient) = function.at(&place);
        let gained = value <= from.value + SUFFICIENT * length * slope + rounding;
        if !gained {
            high = length;
        } else if dot(&gradient, direction) < CURVATURE * slope {
            low = length;
        } else {
            return Some(State { place, value, gradient });
        }
        length = if high.is_finite() { f64::midpoint(low, high) } else { 2.0 * low };
    }
    None
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(to: &mut [f64], times: f64, values: &[f64]) {
    for (to, value) in to.iter_mut().zip(values) {
        *to += times * value;
    }
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}
