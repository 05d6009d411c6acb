//! A classification tree.

use rand_chacha::ChaCha8Rng;

use crate::sample::below;

/// Numbers known of each row, column by column: trees look at one column of many rows at a time.
pub(crate) struct Table {
    rows: usize,
    values: Vec<f32>,
}

impl Table {
    /// `values` holds `rows` numbers for each column.
    pub(crate) fn new(rows: usize, values: Vec<f32>) -> Self {
        debug_assert!(values.len().is_multiple_of(rows.max(1)));
        Self { rows, values }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn columns(&self) -> usize {
        self.values.len() / self.rows.max(1)
    }

    fn column(&self, column: usize) -> &[f32] {
        &self.values[column * self.rows..][..self.rows]
    }
}

/// A row that a tree learns from, and how many times it was drawn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drawn {
    pub(crate) row: usize,
    pub(crate) times: u64,
}

/// As many draws from `rows` rows as there are rows, with replacement; those that were drawn, in
/// ascending order.
pub(crate) fn bootstrap(rows: usize, random: &mut ChaCha8Rng) -> Vec<Drawn> {
    let mut times = vec![0; rows];
    for _ in 0..rows {
        times[below(random, rows)] += 1;
    }
    let drawn = times.into_iter().enumerate().map(|(row, times)| Drawn { row, times });
    drawn.filter(|drawn| drawn.times > 0).collect()
}

/// A tree grown until its leaves are pure, or their rows alike: Breiman's CART with Gini's
/// impurity, as scikit-learn's `DecisionTreeClassifier`.
pub(crate) struct Tree {
    /// A branch stands before the node that its rows of low values go to.
    nodes: Vec<Node>,
}

enum Node {
    Branch {
        column: usize,
        /// Rows of at most this value go to the next node.
        threshold: f32,
        /// Where the others go.
        above: usize,
    },
    /// The share of each class among the rows that came here.
    Leaf(Vec<f64>),
}

/// The classes of rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Labels<'a> {
    /// Of each row.
    pub(crate) of_rows: &'a [usize],
    /// How many classes there are.
    pub(crate) classes: usize,
}

/// What a tree learns from.
pub(crate) struct Lesson<'a> {
    pub(crate) table: &'a Table,
    pub(crate) labels: Labels<'a>,
    /// How many columns are tried for each branch, drawn anew; more where none of these varies.
    pub(crate) tried: usize,
}

impl Tree {
    /// Grows a tree on the rows that were drawn.
    pub(crate) fn grow(
        lesson: &Lesson<'_>,
        mut drawn: Vec<Drawn>,
        random: &mut ChaCha8Rng,
    ) -> Self {
        let mut search = Search::new(lesson);
        let mut nodes = Vec::new();
        // Ranges of `drawn`, with the branch whose high values they are.
        let mut waiting = vec![(0..drawn.len(), None)];
        while let Some((range, parent)) = waiting.pop() {
            let at = nodes.len();
            if let Some(parent) = parent
                && let Node::Branch { above, .. } = &mut nodes[parent]
            {
                *above = at;
            }
            let members = &mut drawn[range.clone()];
            let counts = search.count(members);
            let Some(cut) = search.best_cut(members, &counts, random) else {
                let all: u64 = counts.iter().sum();
                let share = |count: &u64| *count as f64 / all as f64;
                nodes.push(Node::Leaf(counts.iter().map(share).collect()));
                continue;
            };
            let values = lesson.table.column(cut.column);
            members.sort_by_key(|member| values[member.row] > cut.threshold);
            let low = members.partition_point(|member| values[member.row] <= cut.threshold);
            let middle = range.start + low;
            nodes.push(Node::Branch { column: cut.column, threshold: cut.threshold, above: 0 });
            // Last in, first out: the low values become the next node.
            waiting.push((middle..range.end, Some(at)));
            waiting.push((range.start..middle, None));
        }
        Self { nodes }
    }

    /// The share of each class among the rows of the leaf that `row` comes to.
    pub(crate) fn shares(&self, row: &[f32]) -> &[f64] {
        let mut at = 0;
        loop {
            match &self.nodes[at] {
                Node::Leaf(shares) => return shares,
                Node::Branch { column, threshold, above } => {
                    at = if row[*column] <= *threshold { at + 1 } else { *above };
                }
            }
        }
    }
}

/// Where a node is cut in two.
#[derive(Debug, Clone, Copy)]
struct Cut {
    column: usize,
    threshold: f32,
    /// Higher is purer.
    purity: f64,
}

/// A row as seen in one column.
struct Seen {
    value: f32,
    class: usize,
    times: u64,
}

/// Looks for cuts. Keeps its memory from node to node.
struct Search<'a> {
    lesson: &'a Lesson<'a>,
    /// A permutation of the columns.
    columns: Vec<usize>,
    seen: Vec<Seen>,
}

impl<'a> Search<'a> {
    fn new(lesson: &'a Lesson<'a>) -> Self {
        Self { lesson, columns: (0..lesson.table.columns()).collect(), seen: Vec::new() }
    }

    /// How many rows of each class were drawn.
    fn count(&self, members: &[Drawn]) -> Vec<u64> {
        let mut counts = vec![0; self.lesson.labels.classes];
        for member in members {
            counts[self.lesson.labels.of_rows[member.row]] += member.times;
        }
        counts
    }

    /// The purest cut in the columns tried. None where the node is pure, or its rows are alike.
    fn best_cut(
        &mut self,
        members: &[Drawn],
        counts: &[u64],
        random: &mut ChaCha8Rng,
    ) -> Option<Cut> {
        if counts.iter().filter(|count| **count > 0).count() < 2 {
            return None;
        }
        let mut best: Option<Cut> = None;
        for tried in 0..self.columns.len() {
            if tried >= self.lesson.tried && best.is_some() {
                break;
            }
            let further = below(random, self.columns.len() - tried);
            self.columns.swap(tried, tried + further);
            let cut = self.cut(self.columns[tried], members, counts);
            best = match (best, cut) {
                (Some(best), Some(cut)) if cut.purity > best.purity => Some(cut),
                (None, cut) => cut,
                (best, _) => best,
            };
        }
        best
    }

    /// The purest cut in a column; of equals the lowest. None where the column does not vary.
    ///
    /// The mean impurity of both sides, weighted by their rows, is 1 − (Σ lₖ² / l + Σ hₖ² / h) / n,
    /// where lₖ and hₖ count class k among the low and the high values.
    fn cut(&mut self, column: usize, members: &[Drawn], counts: &[u64]) -> Option<Cut> {
        let values = self.lesson.table.column(column);
        let see = |member: &Drawn| Seen {
            value: values[member.row],
            class: self.lesson.labels.of_rows[member.row],
            times: member.times,
        };
        self.seen.clear();
        self.seen.extend(members.iter().map(see));
        // Rows of the same value may stand in any order: there is no cut between them.
        self.seen.sort_unstable_by(|a, b| a.value.total_cmp(&b.value));
        let (mut low, mut high) = (Side::empty(counts.len()), Side::of(counts));
        let mut best: Option<Cut> = None;
        for pair in self.seen.windows(2) {
            let [here, next] = pair else { continue };
            low.add(here);
            high.remove(here);
            if here.value == next.value {
                continue;
            }
            let purity = low.purity() + high.purity();
            if best.is_none_or(|best| purity > best.purity) {
                best = Some(Cut { column, threshold: between(here.value, next.value), purity });
            }
        }
        best
    }
}

/// A value between two, below the higher one even where no float lies between.
fn between(low: f32, high: f32) -> f32 {
    let middle = low / 2.0 + high / 2.0;
    if (low..high).contains(&middle) { middle } else { low }
}

/// The rows on one side of a cut.
struct Side {
    counts: Vec<u64>,
    rows: u64,
    /// Sum of the squares of the counts.
    squares: u64,
}

impl Side {
    fn empty(classes: usize) -> Self {
        Self { counts: vec![0; classes], rows: 0, squares: 0 }
    }

    fn of(counts: &[u64]) -> Self {
        Self {
            counts: counts.to_vec(),
            rows: counts.iter().sum(),
            squares: counts.iter().map(|count| count * count).sum(),
        }
    }

    fn add(&mut self, seen: &Seen) {
        let count = &mut self.counts[seen.class];
        self.squares += (2 * *count + seen.times) * seen.times;
        *count += seen.times;
        self.rows += seen.times;
    }

    fn remove(&mut self, seen: &Seen) {
        let count = &mut self.counts[seen.class];
        *count -= seen.times;
        self.squares -= (2 * *count + seen.times) * seen.times;
        self.rows -= seen.times;
    }

    fn purity(&self) -> f64 {
        self.squares as f64 / self.rows as f64
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    /// A tree of all rows that tries all columns: nothing is left to chance but equally good cuts.
    fn tree(columns: &[&[f32]], labels: &[usize], classes: usize) -> Tree {
        let table = Table::new(labels.len(), columns.concat());
        let all = (0..labels.len()).map(|row| Drawn { row, times: 1 }).collect();
        let labels = Labels { of_rows: labels, classes };
        let lesson = Lesson { table: &table, labels, tried: columns.len() };
        Tree::grow(&lesson, all, &mut ChaCha8Rng::seed_from_u64(1))
    }

    fn branches(tree: &Tree) -> Vec<(usize, f32)> {
        let branch = |node: &Node| match node {
            Node::Branch { column, threshold, .. } => Some((*column, *threshold)),
            Node::Leaf(_) => None,
        };
        tree.nodes.iter().filter_map(branch).collect()
    }

    #[test]
    fn cuts_are_those_of_scikit_learn() {
        // from sklearn.tree import DecisionTreeClassifier
        // tree = DecisionTreeClassifier().fit(np.column_stack([a, b]), labels).tree_
        // tree.feature, tree.threshold: the same for any random_state
        let a = [6.0, 0.0, 1.0, 1.0, 1.0, 6.0, 6.0, 4.0, 0.0, 0.0, 2.0, 3.0, 4.0, 3.0];
        let b = [0.6, 0.25, 0.15, 0.2, 0.55, 0.65, 0.35, 0.0, 0.5, 0.4, 0.45, 0.1, 0.3, 0.05];
        let labels = [2, 0, 0, 1, 1, 2, 2, 0, 2, 0, 0, 2, 2, 0];
        let tree = tree(&[&a, &b], &labels, 3);
        let expected =
            [(0, 5.0), (1, 0.525), (1, 0.475), (0, 2.5), (1, 0.225), (1, 0.175), (1, 0.075)];
        for (found, expected) in branches(&tree).into_iter().zip(expected) {
            assert_eq!(found.0, expected.0);
            assert!((found.1 - expected.1).abs() < 1e-6, "{found:?} {expected:?}");
        }
        assert_eq!(branches(&tree).len(), expected.len());
        for (row, label) in labels.into_iter().enumerate() {
            assert_eq!(tree.shares(&[a[row], b[row]])[label], 1.0, "{row}");
        }
    }

    #[test]
    fn values_that_many_rows_share_are_cut_between() {
        // The last of the zeros and the first of the ones are of the same class: a cut that is
        // only looked for between neighbours of different classes is missed.
        let values = [0.0, 0.0, 0.0, 1.0, 1.0, 1.0];
        let tree = tree(&[&values], &[0, 0, 1, 1, 1, 0], 2);
        assert_eq!(branches(&tree), [(0, 0.5)]);
        assert_eq!(tree.shares(&[0.0]), [2.0 / 3.0, 1.0 / 3.0]);
        assert_eq!(tree.shares(&[0.7]), [1.0 / 3.0, 2.0 / 3.0]);
    }

    #[test]
    fn rows_count_as_often_as_they_were_drawn() {
        let table = Table::new(3, vec![5.0; 3]);
        let labels = Labels { of_rows: &[0, 1, 2], classes: 3 };
        let lesson = Lesson { table: &table, labels, tried: 1 };
        let drawn = vec![Drawn { row: 0, times: 3 }, Drawn { row: 2, times: 1 }];
        let tree = Tree::grow(&lesson, drawn, &mut ChaCha8Rng::seed_from_u64(1));
        assert_eq!(tree.shares(&[5.0]), [0.75, 0.0, 0.25]);
    }

    #[test]
    fn columns_that_do_not_vary_do_not_stop_a_tree() {
        let constant = [7.0; 4];
        let telling = [1.0, 2.0, 3.0, 4.0];
        let table = Table::new(4, [constant, constant, constant, telling].concat());
        let labels = Labels { of_rows: &[0, 0, 1, 1], classes: 2 };
        let lesson = Lesson { table: &table, labels, tried: 1 };
        for seed in 0..20 {
            let all = (0..4).map(|row| Drawn { row, times: 1 }).collect();
            let tree = Tree::grow(&lesson, all, &mut ChaCha8Rng::seed_from_u64(seed));
            assert_eq!(branches(&tree), [(3, 2.5)]);
        }
    }

    #[test]
    fn neighbouring_floats_are_told_apart() {
        let low = 16_777_214.0_f32;
        let high = low.next_up();
        assert_eq!(between(low, high), low);
        assert_eq!(between(1.0, 2.0), 1.5);
        let tree = tree(&[&[low, high]], &[1, 0], 2);
        assert_eq!((tree.shares(&[low]), tree.shares(&[high])), (&[0.0, 1.0][..], &[1.0, 0.0][..]));
    }

    #[test]
    fn a_bootstrap_draws_as_many_as_there_are_and_leaves_out_a_third() {
        let drawn = bootstrap(10_000, &mut ChaCha8Rng::seed_from_u64(5));
        assert_eq!(drawn.iter().map(|drawn| drawn.times).sum::<u64>(), 10_000);
        assert!(drawn.is_sorted_by_key(|drawn| drawn.row));
        // 1 − 1/e of 10,000 = 6,321, give or take 31.
        assert!((6_200..6_440).contains(&drawn.len()), "{}", drawn.len());
    }
}
