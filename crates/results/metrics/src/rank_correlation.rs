//! Whether two lists have the same order.

/// Spearman's rank correlation, as `scipy.stats.spearmanr`: Pearson's correlation of the ranks,
/// where equal values share the mean of their ranks. From −1, the opposite order, to 1, the same.
///
/// `None` if one of the lists is constant (it has no order), or if they differ in length.
pub fn spearman(first: &[f64], second: &[f64]) -> Option<f64> {
    if first.len() != second.len() || first.iter().chain(second).any(|value| value.is_nan()) {
        return None;
    }
    pearson(&ranks(first), &ranks(second))
}

/// Ranks from 0, equal values sharing the mean of theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    while first < order.len() {
        let value = values[order[first]];
        let equal = order[first..].iter().take_while(|place| values[**place] == value).count();
        let shared = first as f64 + (equal - 1) as f64 / 2.0;
        order[first..first + equal].iter().for_each(|place| ranks[*place] = shared);
        first += equal;
    }
    ranks
}

fn pearson(first: &[f64], second: &[f64]) -> Option<f64> {
    let (mean_first, mean_second) =
        (crate::mean(first.iter().copied())?, crate::mean(second.iter().copied())?);
    let (mut product, mut square_first, mut square_second) = (0.0, 0.0, 0.0);
    for (a, b) in first.iter().zip(second) {
        let (a, b) = (a - mean_first, b - mean_second);
        product += a * b;
        square_first += a * a;
        square_second += b * b;
    }
    let scale = (square_first * square_second).sqrt();
    (scale > 0.0).then(|| (product / scale).clamp(-1.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_some_close;

    #[test]
    fn any_growing_function_keeps_the_order() {
        let values = [0.1, 5.0, 2.0, -3.0];
        let cubes = values.map(|value: f64| value.powi(3));
        assert_some_close(spearman(&values, &cubes), 1.0);
        assert_some_close(spearman(&values, &cubes.map(|value| -value)), -1.0);
    }

    #[test]
    fn equal_values_share_a_rank_as_in_scipy() {
        // scipy.stats.spearmanr([1, 2, 2, 3, 0], [5, 1, 4, 2, 2]) is -0.2631578947368421
        let found = spearman(&[1.0, 2.0, 2.0, 3.0, 0.0], &[5.0, 1.0, 4.0, 2.0, 2.0]);
        assert_some_close(found, -0.263_157_894_736_842_1);
    }

    #[test]
    fn what_is_constant_has_no_order() {
        assert_eq!(spearman(&[1.0, 1.0], &[1.0, 2.0]), None);
        assert_eq!(spearman(&[], &[]), None);
        assert_eq!(spearman(&[1.0], &[1.0, 2.0]), None);
        assert_eq!(spearman(&[1.0, f64::NAN], &[1.0, 2.0]), None);
    }
}
