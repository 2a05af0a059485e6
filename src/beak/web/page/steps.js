// The walk's ten steps: a title, a few sentences, something to do.

import { colourStep, filterStep, poolStep, severalStep, strideStep, twinStep } from "./walk-six.js";
import { goStep, learnedStep, otherStep, wholeStep } from "./walk-own.js";

export const STEPS = [
  { title: "One filter looks for one small pattern", play: filterStep, lead: [
    "A pattern such as a beak is much smaller than the picture, so a neuron need not see all of it. It looks through a window of 3 × 3.",
    "Nine weights, its filter, are laid on the nine numbers under the window: multiply each pair, add up. Where the picture holds the filter's pattern the sum is large. Move the window."] },
  { title: "Stride: how far the window moves", play: strideStep, lead: [
    "The same filter looks everywhere, for a beak can be anywhere. With a stride of 1 the window moves by one place, and 6 × 6 numbers become 4 × 4; with a stride of 2 they become 2 × 2."] },
  { title: "Several filters, several maps", play: severalStep, lead: [
    "Another filter looks for another pattern and makes a map of its own. All maps of a layer together are its feature map: one number for each filter at each place."] },
  { title: "Colour: a filter as deep as its input", play: colourStep, lead: [
    "A colour picture is three grids: red, green, blue. A filter then has 3 × 3 × 3 weights and still makes one number at each place: all 27 products are added up. In later layers it is as deep as there are maps before it."] },
  { title: "A fully connected layer, thinned out", play: twinStep, lead: [
    "Fully connected, 36 inputs and 16 outputs have 576 weights. A convolution keeps 9 edges for each output, 144 in all, and gives the same nine weights to every output: 9 are left to learn.",
    "Each row is an output, each column an input; the same colour is the same weight. Point at a row, or move the slider."] },
  { title: "Max pooling: smaller, and what it shows stays", play: poolStep, lead: [
    "A picture at half its size still shows the same bird. Pooling keeps the largest number of each 2 × 2 and drops the rest: no weights, a quarter of the numbers, and a step aside of the pattern often changes nothing."] },
  { title: "The whole", play: wholeStep, lead: [
    "Convolution and pooling again and again; then all that is left is laid in a row and goes through fully connected layers, whose last one answers. This is your network: open a layer."] },
  { title: "What the filters learned", play: learnedStep, lead: [
    "Nobody wrote these weights: they were found by training. To see what a filter looks for, start from noise and change the input step by step so that the filter's map grows."] },
  { title: "Go: where it fits, and what is left out", play: goStep, lead: [
    "On a board of 19 × 19 some patterns are small and occur anywhere, so convolution fits. But leave out every second row and the position is another one: a network for Go has no pooling. Use a layer because it fits your data, not because pictures have it."] },
  { title: "Sounds and sentences", play: otherStep, lead: [
    "A sound becomes a picture of time and pitch. The filter moves along the pitch, for a high and a low voice make the same shape; time is left to later layers.",
    "A sentence becomes a row of word vectors. The filter is as high as a vector and moves along the words only: next to each other in a vector means nothing."] },
];
