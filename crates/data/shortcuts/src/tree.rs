//! A classification tree.

use rand_chacha::ChaCha8Rng;

use crate::random::below;
use crate::table::{Column, Table};

/// A row that a tree learns from, and how many times it was drawn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DrawnRow {
    pub(crate) row: u32,
    pub(crate) class: u32,
    pub(crate) times: u32,
}

/// Draws as many rows as there are, with replacement; returns the rows that were drawn, in
/// ascending order.
pub(crate) fn bootstrap(labels: Labels<'_>, random: &mut ChaCha8Rng) -> Vec<DrawnRow> {
    let rows = labels.of_rows.len();
    let mut times = vec![0; rows];
    for _ in 0..rows {
        times[below(random, rows)] += 1;
    }
    let drawn = times.into_iter().zip(labels.of_rows).zip(0..);
    let drawn = drawn.map(|((times, class), row)| DrawnRow { row, class: *class as u32, times });
    drawn.filter(|drawn| drawn.times > 0).collect()
}

/// A tree grown until its leaves are pure, or their rows are equal: Breiman's CART with Gini's
/// impurity, as scikit-learn's `DecisionTreeClassifier`, except that columns of more than
/// [`MOST_BINS`](crate::table::MOST_BINS) values are only cut between bins.
pub(crate) struct Tree {
    /// A branch comes just before the node that its rows of low values go to.
    nodes: Vec<Node>,
    /// The share of each class among the rows of a leaf, leaf by leaf.
    shares: Vec<f64>,
    classes: usize,
}

enum Node {
    Branch {
        column: u32,
        /// Rows of at most this value go to the next node.
        threshold: f32,
        /// The node of the other rows.
        above: u32,
    },
    /// The number of the leaf.
    Leaf(u32),
}

/// The classes of rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Labels<'a> {
    /// The class of each row.
    pub(crate) of_rows: &'a [usize],
    /// How many classes there are.
    pub(crate) classes: usize,
}

/// The data that a tree learns from.
pub(crate) struct TreeTrainingSet<'a> {
    pub(crate) table: &'a Table,
    pub(crate) labels: Labels<'a>,
    /// How many columns are tried for each branch, drawn anew; more if none of these varies.
    pub(crate) tried: usize,
}

impl Tree {
    /// Grows a tree on the rows that were drawn.
    pub(crate) fn grow(
        lesson: &TreeTrainingSet<'_>,
        mut drawn: Vec<DrawnRow>,
        random: &mut ChaCha8Rng,
    ) -> Self {
        let mut search = Search::new(lesson);
        let mut tree =
            Self { nodes: Vec::new(), shares: Vec::new(), classes: lesson.labels.classes };
        // Ranges of `drawn`, each with the branch whose high values they are.
        let mut waiting = vec![(0..drawn.len(), None)];
        while let Some((range, parent)) = waiting.pop() {
            let at = tree.nodes.len();
            if let Some(parent) = parent
                && let Node::Branch { above, .. } = &mut tree.nodes[parent]
            {
                *above = at as u32;
            }
            let members = &mut drawn[range.clone()];
            let counts = search.count(members);
            let Some(cut) = search.best_cut(members, &counts, random) else {
                tree.leaf(&counts);
                continue;
            };
            let middle = range.start + search.part(members, cut);
            let threshold = lesson.table.column(cut.column).between(cut.low, cut.high);
            tree.nodes.push(Node::Branch { column: cut.column as u32, threshold, above: 0 });
            // Last in, first out: the low values become the next node.
            waiting.push((middle..range.end, Some(at)));
            waiting.push((range.start..middle, None));
        }
        tree
    }

    fn leaf(&mut self, counts: &[u64]) {
        self.nodes.push(Node::Leaf((self.shares.len() / self.classes) as u32));
        let all: u64 = counts.iter().sum();
        self.shares.extend(counts.iter().map(|count| *count as f64 / all as f64));
    }

    /// The share of each class in the leaf of `row`.
    pub(crate) fn shares(&self, row: &[f32]) -> &[f64] {
        let mut at = 0;
        loop {
            match &self.nodes[at] {
                Node::Leaf(leaf) => {
                    return &self.shares[*leaf as usize * self.classes..][..self.classes];
                }
                Node::Branch { column, threshold, above } => {
                    let is_low = row[*column as usize] <= *threshold;
                    at = if is_low { at + 1 } else { *above as usize };
                }
            }
        }
    }
}

/// The cut of a node in two.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Cut {
    column: usize,
    /// The highest bin on the low side.
    low: usize,
    /// The lowest bin of the high side.
    high: usize,
    /// Higher is purer.
    purity: f64,
}

/// Searches for cuts. Keeps its memory from node to node.
struct Search<'a> {
    lesson: &'a TreeTrainingSet<'a>,
    /// A permutation of the columns.
    columns: Vec<usize>,
    /// Rows with their bins, in the order of the bins.
    seen: Vec<(u8, DrawnRow)>,
    /// Rows of each class in each bin.
    in_bins: Vec<u32>,
    /// Rows of high values, while those of low values move up.
    high: Vec<DrawnRow>,
}

impl<'a> Search<'a> {
    fn new(lesson: &'a TreeTrainingSet<'a>) -> Self {
        Self {
            lesson,
            columns: (0..lesson.table.columns()).collect(),
            seen: Vec::new(),
            in_bins: Vec::new(),
            high: Vec::new(),
        }
    }

    /// Puts the rows of low values first and keeps the order within both sides; returns their
    /// number.
    fn part(&mut self, members: &mut [DrawnRow], cut: Cut) -> usize {
        let column = self.lesson.table.column(cut.column);
        self.high.clear();
        let mut low = 0;
        for at in 0..members.len() {
            let member = members[at];
            if usize::from(column.bin(member.row)) <= cut.low {
                members[low] = member;
                low += 1;
            } else {
                self.high.push(member);
            }
        }
        members[low..].copy_from_slice(&self.high);
        low
    }

    /// How many rows of each class were drawn.
    fn count(&self, members: &[DrawnRow]) -> Vec<u64> {
        let mut counts = vec![0; self.lesson.labels.classes];
        for member in members {
            counts[member.class as usize] += u64::from(member.times);
        }
        counts
    }

    /// The purest cut in the columns tried. None if the node is pure, or its rows are equal.
    fn best_cut(
        &mut self,
        members: &[DrawnRow],
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

    /// The purest cut in a column; of equals the lowest. None if the column does not vary.
    ///
    /// The mean impurity of both sides, weighted by their rows, is 1 − (Σ lₖ² / l + Σ hₖ² / h) / n,
    /// where lₖ and hₖ count class k among the low and the high values.
    fn cut(&mut self, column: usize, members: &[DrawnRow], counts: &[u64]) -> Option<Cut> {
        let looked_at = self.lesson.table.column(column);
        let mut sweep = Sweep::new(column, counts);
        if members.len() < looked_at.bins() {
            self.sort(looked_at, members);
            for (bin, member) in &self.seen {
                sweep.come_to(usize::from(*bin));
                sweep.pass(member.class as usize, u64::from(member.times));
            }
        } else {
            self.fill_bins(looked_at, members);
            for (bin, of_classes) in self.in_bins.chunks_exact(counts.len()).enumerate() {
                if of_classes.iter().all(|times| *times == 0) {
                    continue;
                }
                sweep.come_to(bin);
                for (class, times) in of_classes.iter().enumerate() {
                    sweep.pass(class, u64::from(*times));
                }
            }
        }
        sweep.best
    }

    /// For few rows: sorts them by their bins. There are no cuts within a bin, so any order is fine
    /// there.
    fn sort(&mut self, column: &Column, members: &[DrawnRow]) {
        self.seen.clear();
        self.seen.extend(members.iter().map(|member| (column.bin(member.row), *member)));
        self.seen.sort_unstable_by_key(|(bin, _)| *bin);
    }

    /// For many rows: counts them bin by bin.
    fn fill_bins(&mut self, column: &Column, members: &[DrawnRow]) {
        let classes = self.lesson.labels.classes;
        self.in_bins.clear();
        self.in_bins.resize(column.bins() * classes, 0);
        for member in members {
            let bin = usize::from(column.bin(member.row));
            self.in_bins[bin * classes + member.class as usize] += member.times;
        }
    }
}

/// A pass over a column from its low to its high values, with the purest cut so far.
struct Sweep {
    column: usize,
    low: Side,
    high: Side,
    at: Option<usize>,
    best: Option<Cut>,
}

impl Sweep {
    fn new(column: usize, counts: &[u64]) -> Self {
        Self {
            column,
            low: Side::empty(counts.len()),
            high: Side::of(counts),
            at: None,
            best: None,
        }
    }

    /// Checks the cut before a bin, if it differs from the last.
    fn come_to(&mut self, bin: usize) {
        let Some(last) = self.at.replace(bin).filter(|last| *last != bin) else { return };
        let purity = self.low.purity() + self.high.purity();
        if self.best.is_none_or(|best| purity > best.purity) {
            self.best = Some(Cut { column: self.column, low: last, high: bin, purity });
        }
    }

    fn pass(&mut self, class: usize, times: u64) {
        self.low.add(class, times);
        self.high.remove(class, times);
    }
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

    fn add(&mut self, class: usize, times: u64) {
        let count = &mut self.counts[class];
        self.squares += (2 * *count + times) * times;
        *count += times;
        self.rows += times;
    }

    fn remove(&mut self, class: usize, times: u64) {
        let count = &mut self.counts[class];
        *count -= times;
        self.squares -= (2 * *count + times) * times;
        self.rows -= times;
    }

    fn purity(&self) -> f64 {
        self.squares as f64 / self.rows as f64
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    fn table(columns: &[&[f32]]) -> Table {
        Table::new(columns[0].len(), columns.len(), |column, row| columns[column][row])
    }

    fn once(labels: &[usize]) -> Vec<DrawnRow> {
        let drawn = |(row, class): (u32, &usize)| DrawnRow { row, class: *class as u32, times: 1 };
        (0..).zip(labels).map(drawn).collect()
    }

    /// A tree of all rows that tries all columns: only the choice among equally good cuts is
    /// random.
    fn tree(columns: &[&[f32]], labels: &[usize], classes: usize) -> Tree {
        let table = table(columns);
        let lesson = TreeTrainingSet {
            table: &table,
            labels: Labels { of_rows: labels, classes },
            tried: columns.len(),
        };
        Tree::grow(&lesson, once(labels), &mut ChaCha8Rng::seed_from_u64(1))
    }

    fn branches(tree: &Tree) -> Vec<(usize, f32)> {
        let branch = |node: &Node| match node {
            Node::Branch { column, threshold, .. } => Some((*column as usize, *threshold)),
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
        // The last of the zeros and the first of the ones are of the same class: a search that only
        // considers neighbours of different classes misses the cut.
        let values = [0.0, 0.0, 0.0, 1.0, 1.0, 1.0];
        let tree = tree(&[&values], &[0, 0, 1, 1, 1, 0], 2);
        assert_eq!(branches(&tree), [(0, 0.5)]);
        assert_eq!(tree.shares(&[0.0]), [2.0 / 3.0, 1.0 / 3.0]);
        assert_eq!(tree.shares(&[0.7]), [1.0 / 3.0, 2.0 / 3.0]);
    }

    #[test]
    fn rows_that_are_sorted_and_rows_that_are_counted_are_cut_alike() {
        // Sixty bins and two hundred rows: these are counted. The same search by sorting is done by
        // hand.
        let values: Vec<f32> = (0..200_u16).map(|at| f32::from(at * 37 % 60)).collect();
        let labels: Vec<usize> = (0..200).map(|at| (at * 37 % 60 / 13 + at % 3) % 3).collect();
        let table = table(&[&values]);
        let lesson = TreeTrainingSet {
            table: &table,
            labels: Labels { of_rows: &labels, classes: 3 },
            tried: 1,
        };
        let mut search = Search::new(&lesson);
        let members = once(&labels);
        let counts = search.count(&members);
        let counted = search.cut(0, &members, &counts).unwrap();
        search.sort(table.column(0), &members);
        let mut sweep = Sweep::new(0, &counts);
        for (bin, member) in &search.seen {
            sweep.come_to(usize::from(*bin));
            sweep.pass(member.class as usize, u64::from(member.times));
        }
        assert_eq!(sweep.best, Some(counted));
    }

    #[test]
    fn rows_count_as_often_as_they_were_drawn() {
        let table = table(&[&[5.0; 3]]);
        let labels = Labels { of_rows: &[0, 1, 2], classes: 3 };
        let lesson = TreeTrainingSet { table: &table, labels, tried: 1 };
        let drawn = [(0, 3), (2, 1)].map(|(row, times)| DrawnRow { row, class: row, times }).into();
        let tree = Tree::grow(&lesson, drawn, &mut ChaCha8Rng::seed_from_u64(1));
        assert_eq!(tree.shares(&[5.0]), [0.75, 0.0, 0.25]);
    }

    #[test]
    fn columns_that_do_not_vary_do_not_stop_a_tree() {
        let constant = [7.0; 4];
        let telling = [1.0, 2.0, 3.0, 4.0];
        let table = table(&[&constant, &constant, &constant, &telling]);
        let labels = Labels { of_rows: &[0, 0, 1, 1], classes: 2 };
        let lesson = TreeTrainingSet { table: &table, labels, tried: 1 };
        for seed in 0..20 {
            let all = once(labels.of_rows);
            let tree = Tree::grow(&lesson, all, &mut ChaCha8Rng::seed_from_u64(seed));
            assert_eq!(branches(&tree), [(3, 2.5)]);
        }
    }

    #[test]
    fn neighbouring_floats_are_told_apart() {
        let low = 16_777_214.0_f32;
        let high = low.next_up();
        let tree = tree(&[&[low, high]], &[1, 0], 2);
        assert_eq!((tree.shares(&[low]), tree.shares(&[high])), (&[0.0, 1.0][..], &[1.0, 0.0][..]));
    }

    #[test]
    fn a_bootstrap_draws_as_many_as_there_are_and_leaves_out_a_third() {
        let labels = Labels { of_rows: &[0; 10_000], classes: 1 };
        let drawn = bootstrap(labels, &mut ChaCha8Rng::seed_from_u64(5));
        assert_eq!(drawn.iter().map(|drawn| drawn.times).sum::<u32>(), 10_000);
        assert!(drawn.is_sorted_by_key(|drawn| drawn.row));
        // 1 − 1/e of 10,000 = 6,321, give or take 31.
        assert!((6_200..6_440).contains(&drawn.len()), "{}", drawn.len());
    }
}
