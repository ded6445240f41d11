from .data.fetch import fetch_her2st as fetch_her2st
from .data.folds import HER2ST_SECTIONS as HER2ST_SECTIONS, resolve_fold as resolve_fold
from .data.her2st import find_sections as find_sections, load_section as load_section
from .data.patch_cache import PatchCache as PatchCache
from .data.section import MeasuredSection as MeasuredSection, SectionFiles as SectionFiles
from .evaluate.crossval import cross_validate as cross_validate, cross_validate_steps as cross_validate_steps
from .evaluate.evaluation import Evaluation as Evaluation
from .evaluate.own_model import (
    About as About,
    FitPlan as FitPlan,
    OwnModel as OwnModel,
    fit_model as fit_model,
    fit_model_steps as fit_model_steps,
    plan_fit as plan_fit,
)
from .evaluate.report import write_report as write_report
from .fit.loop import train as train, train_steps as train_steps
from .fit.recipe import RECIPES as RECIPES, read_train_settings as read_train_settings
from .fit.record import EpochReport as EpochReport, TrainResult as TrainResult
