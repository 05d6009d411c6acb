//! Measures how fast each convolution of VGG16 is, on images of 224×224 pixels: `cargo run
//! --release -p winograd --example vgg -- [IMAGES]`

use std::time::Instant;

use winograd::{Buffer, Convolution, Epilogue, InstructionSet};

/// Channels in and out, the side of the image, whether a pooling follows.
const LAYERS: [(usize, usize, usize, Epilogue); 13] = [
    (3, 64, 224, Epilogue::Relu),
    (64, 64, 224, Epilogue::ReluMaxPool),
    (64, 128, 112, Epilogue::Relu),
    (128, 128, 112, Epilogue::ReluMaxPool),
    (128, 256, 56, Epilogue::Relu),
    (256, 256, 56, Epilogue::Relu),
    (256, 256, 56, Epilogue::ReluMaxPool),
    (256, 512, 28, Epilogue::Relu),
    (512, 512, 28, Epilogue::Relu),
    (512, 512, 28, Epilogue::ReluMaxPool),
    (512, 512, 14, Epilogue::Relu),
    (512, 512, 14, Epilogue::Relu),
    (512, 512, 14, Epilogue::ReluMaxPool),
];

fn main() {
    let images: usize = std::env::args()
        .nth(1)
        .map_or(16, |text| text.parse().expect("the argument is a number of images"));
    let instructions = InstructionSet::detect().expect("this processor has AVX2");
    println!("{instructions:?}, {images} images, {} threads", rayon::current_num_threads());
    println!(
        "{:>8} {:>8} {:>6} {:>14} {:>10}",
        "inputs", "outputs", "side", "ms an image", "GFLOP/s"
    );
    let mut total = 0.0;
    for (inputs, outputs, side, then) in LAYERS {
        let convolution = Convolution::new(
            &vec![0.01; inputs * outputs * 9],
            &vec![0.0; outputs],
            inputs,
            outputs,
        );
        let mut pixels = Buffer::zeros(images * side * side * inputs);
        pixels.fill(0.5);
        let map_side = if then == Epilogue::Relu { side } else { side / 2 };
        let mut maps = Buffer::zeros(images * map_side * map_side * outputs);
        let mut seconds: Vec<f64> = (0..5)
            .map(|_| {
                let started = Instant::now();
                convolution.run(&pixels, (side, side), then, instructions, &mut maps);
                started.elapsed().as_secs_f64()
            })
            .collect();
        seconds.sort_by(f64::total_cmp);
        let median = seconds[2] / images as f64;
        total += median;
        // Operations of a direct convolution.
        let operations = (2 * 9 * inputs * outputs * side * side) as f64;
        println!(
            "{inputs:>8} {outputs:>8} {side:>6} {:>14.2} {:>10.0}",
            median * 1e3,
            operations / median / 1e9
        );
    }
    println!("{:>38.2}", total * 1e3);
}
